/* Parameters as a checkpoint sees them: named views into a flat array. */
#include "tests/support/support.h"

#include "base/memory.h"
#include "checkpoint/named_tensor.h"
#include "parameters/parameter_store.h"

static void test_named_tensors_point_into_the_flat_array(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct model_shape shape = {.width = 48,
                                .layers = 3,
                                .heads = 2,
                                .hidden = 64,
                                .observation_dim = 3,
                                .action_space.dim = 2,
                                .time_max = 5,
                                .trial_max = 2};
    assert_true(token_layout_parse(&shape.layout, "R,s,a", &failure));
    struct parameter_store parameters;
    struct arena arena = {0};
    parameter_store_bind(&parameters, &arena, &shape, 0, NULL);
    arena_open(&arena, arena.peak);
    parameter_store_bind(&parameters, &arena, &shape, 0, NULL);
    const struct model_weights *weights = &parameters.master.views;
    size_t count = parameters.layout.entry_count;
    struct named_tensor *tensors = memory_take(count, sizeof *tensors);
    struct named_tensor *end =
        named_tensors_append(tensors, "first.", parameters.master.flat, &parameters.layout);
    assert_ptr_equal(end, tensors + count);
    assert_string_equal(tensors[0].name, "first.embed.return.weight");
    assert_ptr_equal(tensors[0].view.data,
                     weights->outer.embedding.field[FIELD_RETURN].weight.data);
    assert_string_equal(tensors[count - 1].name, "first.layers.2.ffn.down.bias");
    assert_ptr_equal(tensors[count - 1].view.data, weights->layers[2].ffn.down.bias.data);
    assert_int_equal(tensors[count - 1].view.columns, 48);
    memory_free(tensors);
    arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_tensors_point_into_the_flat_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
