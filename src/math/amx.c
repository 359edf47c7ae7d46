#include "math/amx.h"

#ifdef CHAINRING_EMULATED_AMX

#include <stdint.h>
#include <string.h>

#include "base/fatal.h"

/* --- In memory -------------------------------------------------------------------------------- */

enum { REGISTERS = 8 };

static _Thread_local unsigned char registers[REGISTERS][AMX_ROWS][AMX_BYTES];
static _Thread_local bool is_begun;

bool amx_runs(void)
{
    return true;
}

/* What was left behind is no number. */
void amx_begin(void)
{
    invariant(!is_begun);
    is_begun = true;
    memset(registers, 0xff, sizeof registers);
}

void amx_end(void)
{
    invariant(is_begun);
    is_begun = false;
}

void amx_emulate_zero(int number)
{
    invariant(is_begun);
    memset(registers[number], 0, sizeof registers[number]);
}

void amx_emulate_load(int number, const void *from, size_t stride)
{
    invariant(is_begun);
    for (size_t row = 0; row < AMX_ROWS; row++) {
        memcpy(registers[number][row], (const char *)from + row * stride, AMX_BYTES);
    }
}

void amx_emulate_store(int number, void *to, size_t stride)
{
    invariant(is_begun);
    for (size_t row = 0; row < AMX_ROWS; row++) {
        memcpy((char *)to + row * stride, registers[number][row], AMX_BYTES);
    }
}

static float half_of(const unsigned char *row, size_t column)
{
    uint16_t half;
    memcpy(&half, row + column * sizeof half, sizeof half);
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void amx_emulate_multiply(int sum, int a, int b)
{
    invariant(is_begun);
    for (size_t row = 0; row < AMX_ROWS; row++) {
        float sums[AMX_ROWS];
        memcpy(sums, registers[sum][row], sizeof sums);
        for (size_t k = 0; k < AMX_ROWS; k++) {
            float first = half_of(registers[a][row], 2 * k);
            float second = half_of(registers[a][row], 2 * k + 1);
            for (size_t column = 0; column < AMX_ROWS; column++) {
                sums[column] += first * half_of(registers[b][k], 2 * column) +
                                second * half_of(registers[b][k], 2 * column + 1);
            }
        }
        memcpy(registers[sum][row], sums, sizeof sums);
    }
}

#elif defined(__x86_64__)

#include <cpuid.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- Asking ----------------------------------------------------------------------------------- */

static bool processor_has_amx(void)
{
    enum { LEAF = 7, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
    unsigned eax, ebx, ecx, edx;
    bool is_told = __get_cpuid_count(LEAF, 0, &eax, &ebx, &ecx, &edx) != 0;
    return is_told && (edx & AMX_BF16) && (edx & AMX_TILE);
}

/* Linux keeps these registers for a process only after it has been asked to. */
static bool kernel_permits(void)
{
    static const long request = 0x1023,
                      tile_data = 18; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

bool amx_runs(void)
{
    static atomic_int answer; /* 0: not asked yet */
    if (atomic_load(&answer) == 0) {
        atomic_store(&answer, processor_has_amx() && kernel_permits() ? 1 : -1);
    }
    return atomic_load(&answer) > 0;
}

/* --- Registers of full size ------------------------------------------------------------------- */

struct amx_layout {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[AMX_ROWS]; /* of a row of each register */
    uint8_t rows[AMX_ROWS];
};

void amx_begin(void)
{
    static const struct amx_layout layout = {
        .palette = 1,
        .bytes = {AMX_BYTES, AMX_BYTES, AMX_BYTES, AMX_BYTES, AMX_BYTES, AMX_BYTES, AMX_BYTES,
                  AMX_BYTES},
        .rows = {AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS},
    };
    __asm__ volatile("ldtilecfg %0" ::"m"(layout) : "memory");
}

void amx_end(void)
{
    __asm__ volatile("tilerelease" ::: "memory");
}

#else

bool amx_runs(void)
{
    return false;
}

void amx_begin(void)
{
}

void amx_end(void)
{
}

#endif
