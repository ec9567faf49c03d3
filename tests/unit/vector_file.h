/* SPDX-License-Identifier: Apache-2.0 */
/* vector_file - the files of proto/vectors, read one "name": "value" on a line, for test_vectors.c:
 * what is missing or has another form fails the test. */
#ifndef TESTS_UNIT_VECTOR_FILE_H
#define TESTS_UNIT_VECTOR_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hex.h"
#include "common/fs.h"

struct file {
    struct buf raw;
    const char *at; /* the case that is being read */
};

static void load(const char *name, struct file *f)
{
    char path[512];

    *f = (struct file){0};
    (void)snprintf(path, sizeof(path), "%s/%s.json", SATCHEL_VECTORS, name);
    assert_int_equal(fs_read(path, 1 << 20, &f->raw, NULL), ERR_OK);
    buf_u8(&f->raw, '\0');
    f->at = (const char *)f->raw.data;
}

/* Go to the next case that begins with ${kind}; false: there is none. */
static bool next_case(struct file *f, const char *kind)
{
    char line[128];
    const char *found;

    (void)snprintf(line, sizeof(line), "\"case\": \"%s", kind);
    found = strstr(f->at + 1, line);
    if (found != NULL)
        f->at = found;
    return found != NULL;
}

static void get_text(const struct file *f, const char *name, char *ret, size_t size)
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

static uint64_t get_number(const struct file *f, const char *name)
{
    char text[32];

    get_text(f, name, text, sizeof(text));
    return strtoull(text, NULL, 10);
}

/* The bytes live until 31 more have been asked for. */
static struct part get(const struct file *f, const char *name)
{
    static char texts[32][16384];
    static unsigned next;
    char *text = texts[next++ % 32];
    size_t len;

    get_text(f, name, text, sizeof(texts[0]));
    len = strlen(text);
    assert_int_equal(hex_decode((uint8_t *)text, text, len), ERR_OK);
    return part(text, len / 2);
}

static void get_fixed(const struct file *f, const char *name, void *ret, size_t len)
{
    struct part p = get(f, name);

    assert_int_equal(p.len, len);
    memcpy(ret, p.data, len);
}

static void get_secret(const struct file *f, const char *name, struct secret *ret)
{
    struct part p = get(f, name);

    assert_int_equal(secret_copy(ret, p.data, p.len, NULL), ERR_OK);
}

static void assert_bytes(const struct file *f, const char *name, const void *bytes, size_t len)
{
    struct part p = get(f, name);

    assert_int_equal(p.len, len);
    assert_memory_equal(p.data, bytes, len);
}

#define GET(f, name, object)          get_fixed(f, name, &(object), sizeof(object))
#define ASSERT_BYTES(f, name, object) assert_bytes(f, name, &(object), sizeof(object))

#endif /* TESTS_UNIT_VECTOR_FILE_H */
