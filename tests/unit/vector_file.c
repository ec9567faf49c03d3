/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vector_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/hex.h"
#include "common/fs.h"

void vector_load(const char *name, struct vector_file *f)
{
    char path[512];

    *f = (struct vector_file){0};
    (void)snprintf(path, sizeof(path), "%s/%s.json", SATCHEL_VECTORS, name);
    assert_int_equal(fs_read(path, 1 << 20, &f->raw, NULL), ERR_OK);
    buf_u8(&f->raw, '\0');
    f->at = (const char *)f->raw.data;
}

bool vector_next(struct vector_file *f, const char *kind)
{
    char line[128];
    const char *found;

    (void)snprintf(line, sizeof(line), "\"case\": \"%s", kind);
    found = strstr(f->at + 1, line);
    if (found != NULL)
        f->at = found;
    return found != NULL;
}

void vector_text(const struct vector_file *f, const char *name, char *ret, size_t size)
{
    char key[64];
    const char *from, *end = strchr(f->at, '}'), *to;

    (void)snprintf(key, sizeof(key), "\n      \"%s\": \"", name);
    from = strstr(f->at, key);
    if (from == NULL || from > end)
        fail_msg("no field '%s'", name);
    from += strlen(key);
    to = strchr(from, '"');
    assert_true((size_t)(to - from) < size);
    memcpy(ret, from, (size_t)(to - from));
    ret[to - from] = '\0';
}

uint64_t vector_number(const struct vector_file *f, const char *name)
{
    char text[32];

    vector_text(f, name, text, sizeof(text));
    return strtoull(text, NULL, 10);
}

struct part vector_get(const struct vector_file *f, const char *name)
{
    static char texts[32][16384];
    static unsigned next;
    char *text = texts[next++ % 32];
    size_t len;

    vector_text(f, name, text, sizeof(texts[0]));
    len = strlen(text);
    assert_int_equal(hex_decode((uint8_t *)text, text, len), ERR_OK);
    return part(text, len / 2);
}

void vector_fixed(const struct vector_file *f, const char *name, void *ret, size_t len)
{
    struct part p = vector_get(f, name);

    assert_int_equal(p.len, len);
    memcpy(ret, p.data, len);
}

void vector_secret(const struct vector_file *f, const char *name, struct secret *ret)
{
    struct part p = vector_get(f, name);

    assert_int_equal(secret_copy(ret, p.data, p.len, NULL), ERR_OK);
}

void vector_assert(const struct vector_file *f, const char *name, const void *bytes, size_t len)
{
    struct part p = vector_get(f, name);

    assert_int_equal(p.len, len);
    assert_memory_equal(p.data, bytes, len);
}
