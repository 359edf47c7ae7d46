#include "checkpoint/digest.h"

#include <stdio.h>

#include <xxhash.h>

#include "base/memory.h"

enum { READ_BYTES = 1 << 20 };

static void *hash_open(void)
{
    XXH3_state_t *hash = XXH3_createState();
    if (!hash || XXH3_128bits_reset(hash) != XXH_OK) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused the state of a hash");
    }
    return hash;
}

static void hash_close(struct digest *digest, void *hash)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(hash));
    for (size_t i = 0; i < sizeof canonical.digest; i++) {
        snprintf(digest->hash + 2 * i, 3, "%02x", (unsigned)canonical.digest[i]);
    }
    XXH3_freeState(hash);
}

bool digest_writer_open(struct digest_writer *writer, const char *path, struct failure *failure)
{
    writer->size = 0;
    writer->hash = NULL;
    if (!file_writer_open(&writer->file, path, failure)) {
        return false;
    }
    writer->hash = hash_open();
    return true;
}

bool digest_writer_append(struct digest_writer *writer, const void *bytes, size_t size,
                          struct failure *failure)
{
    if (!file_writer_append(&writer->file, bytes, size, failure)) {
        XXH3_freeState(writer->hash);
        writer->hash = NULL;
        return false;
    }
    if (size > 0) {
        XXH3_128bits_update(writer->hash, bytes, size);
        writer->size += size;
    }
    return true;
}

bool digest_writer_commit(struct digest *digest, struct digest_writer *writer,
                          struct failure *failure)
{
    digest->size = writer->size;
    hash_close(digest, writer->hash);
    writer->hash = NULL;
    return file_writer_commit(&writer->file, failure);
}

bool digest_write(struct digest *digest, const char *path, const void *bytes, size_t size,
                  struct failure *failure)
{
    struct digest_writer writer;
    return digest_writer_open(&writer, path, failure) &&
           digest_writer_append(&writer, bytes, size, failure) &&
           digest_writer_commit(digest, &writer, failure);
}

bool digest_read(struct digest *digest, const char *path, struct failure *failure)
{
    struct file_reader reader;
    if (!file_reader_open(&reader, path, failure)) {
        return false;
    }
    void *hash = hash_open();
    char *bytes = memory_take(reader.size < READ_BYTES ? (size_t)reader.size : READ_BYTES, 1);
    bool is_read = true;
    for (uint64_t offset = 0; is_read && offset < reader.size; offset += READ_BYTES) {
        uint64_t rest = reader.size - offset;
        size_t size = rest < READ_BYTES ? (size_t)rest : READ_BYTES;
        is_read = file_reader_read(&reader, bytes, size, offset, failure);
        XXH3_128bits_update(hash, bytes, size);
    }
    digest->size = reader.size;
    hash_close(digest, hash);
    memory_free(bytes);
    file_reader_close(&reader);
    return is_read;
}
