#include "tests/support/support.h"

#include "tests/datasets/chain_fixture.h"

#include <stdio.h>
#include <unistd.h>

int chain_fixture_open(void **state, void (*write_store)(const char *path))
{
    static struct chain_fixture fixture;
    snprintf(fixture.path, sizeof fixture.path, "%s/store.h5", support_scratch_folder());
    write_store(fixture.path);
    struct failure failure = {0};
    fixture.store = store_open(fixture.path, &failure);
    assert_non_null(fixture.store);
    chain_catalog_open(&fixture.catalog, fixture.store, 0.0, CHAIN_TRAINED);
    *state = &fixture;
    return 0;
}

int chain_fixture_close(void **state)
{
    struct chain_fixture *fixture = *state;
    chain_catalog_close(&fixture->catalog);
    store_close(fixture->store);
    return unlink(fixture->path);
}
