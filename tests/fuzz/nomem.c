/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/nomem.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);

static _Thread_local bool is_running;
static unsigned left;
static bool has_failed;

void nomem_arm(unsigned n)
{
    left = n;
    has_failed = false;
}

bool nomem_run(bool running)
{
    bool before = is_running;

    is_running = running;
    return before;
}

bool nomem_failed(void)
{
    return has_failed;
}

static bool fails(void)
{
    if (!is_running || left == 0 || --left > 0)
        return false;
    has_failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return fails() ? NULL : __real_realloc(at, size);
}
