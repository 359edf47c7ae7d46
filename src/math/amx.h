/* The matrix registers of a processor (Intel AMX): eight of 16 rows of 64 bytes.
 *
 * A product is of bfloat16: a (16 x 32) by b (32 x 16, pairs of its rows beside each other, 16 x 16
 * pairs), added to 16 x 16 floats. Registers have numbers, which are constants. A file that uses
 * them is compiled for AVX512_BF16.
 *
 * CHAINRING_EMULATED_AMX: in memory instead, for tests on processors that have none. */
#ifndef CHAINRING_MATH_AMX_H
#define CHAINRING_MATH_AMX_H

#include <stdbool.h>
#include <stddef.h>

enum { AMX_ROWS = 16, AMX_BYTES = 64 };

/* Has the processor these registers, and may this process use them? Asks the kernel for the
 * permission, once for all threads. Local. */
bool amx_runs(void);

/* Around a thread's use of them, which faults before amx_begin and after amx_end. That gives them
 * back, so that the system need not keep 8 KiB more when another thread takes the processor. Not
 * nested. */
void amx_begin(void);
void amx_end(void);

#ifdef CHAINRING_EMULATED_AMX

void amx_emulate_zero(int number);
void amx_emulate_load(int number, const void *from, size_t stride);
void amx_emulate_store(int number, void *to, size_t stride);
void amx_emulate_multiply(int sum, int a, int b);

#define AMX_ZERO(number)               amx_emulate_zero(number)
#define AMX_LOAD(number, from, stride) amx_emulate_load(number, from, stride)
#define AMX_STORE(number, to, stride)  amx_emulate_store(number, to, stride)
#define AMX_MULTIPLY(sum, a, b)        amx_emulate_multiply(sum, a, b)

#else

/* Rows are `stride` bytes apart. The compilers' own intrinsics do not say that they read memory. */
#define AMX_ZERO(number) __asm__ volatile("tilezero %%tmm" #number ::: "memory")
#define AMX_LOAD(number, from, stride)                                                             \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #number ::"r"(from), "r"((size_t)(stride))       \
                     : "memory")
#define AMX_STORE(number, to, stride)                                                              \
    __asm__ volatile("tilestored %%tmm" #number ", (%0,%1,1)" ::"r"(to), "r"((size_t)(stride))     \
                     : "memory")
/* sum += a b */
#define AMX_MULTIPLY(sum, a, b)                                                                    \
    __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum ::: "memory")

#endif

#endif
