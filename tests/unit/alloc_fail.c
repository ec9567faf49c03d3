/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/alloc_fail.h"

#include <stddef.h>

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
char *__wrap_strdup(const char *s);

static long left = -1;

long alloc_fail_at(long n)
{
    long before = left;

    left = n;
    return before;
}

long alloc_fail_left(void)
{
    return left;
}

bool alloc_fail_now(void)
{
    return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t len)
{
    return alloc_fail_now() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
    return alloc_fail_now() ? NULL : __real_calloc(n, len);
}

void *__wrap_realloc(void *p, size_t len)
{
    return alloc_fail_now() ? NULL : __real_realloc(p, len);
}

char *__wrap_strdup(const char *s)
{
    return alloc_fail_now() ? NULL : __real_strdup(s);
}
