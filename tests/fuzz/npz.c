/* A fuzz target (libFuzzer) for the members of numpy's zip files. Whatever the bytes are, opening,
 * listing and reading must return; a member that is read has the size that was said, and what is
 * refused is one line. `scripts/fuzz` builds and runs it. */
#include <string.h>

#include "base/memory.h"
#include "datasets/formats/npy.h"
#include "datasets/formats/npz.h"
#include "tests/fuzz/need.h"

enum { MEMBER_BYTES_MAX = 1 << 20 };

static void need_name(const struct npz *npz, size_t member)
{
    const char *name = npz_name(npz, member);
    size_t found;
    need(name && name[0] != '/' && !strpbrk(name, "\n\r\\"));
    need(npz_find(&found, npz, name) && found == member);
}

static void read_member(struct npz *npz, size_t member)
{
    struct failure failure = {0};
    size_t size;
    need_name(npz, member);
    if (!npz_size(&size, npz, member, &failure)) {
        need_line(&failure);
        return;
    }
    if (size > MEMBER_BYTES_MAX) {
        return; /* within the bounds, but slow */
    }
    unsigned char *bytes = memory_take(size, 1);
    struct npy npy;
    if (!npz_read(bytes, size, npz, member, &failure) ||
        !npy_read(&npy, bytes, size, "fuzz", &failure)) {
        need_line(&failure);
    }
    memory_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct failure failure = {0};
    struct npz *npz = npz_open_bytes(bytes, size, "fuzz", &failure);
    if (!npz) {
        need_line(&failure);
        return 0;
    }
    for (size_t member = 0; member < npz_count(npz); member++) {
        read_member(npz, member);
    }
    npz_close(npz);
    return 0;
}
