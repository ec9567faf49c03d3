/* SPDX-License-Identifier: Apache-2.0 */
#include "erasable_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

char keys_path[96];
static char dir[64];

struct erasable_file *keys_reopen(struct erasable_file *f)
{
    struct err err = {0};

    erasable_file_close(f);
    f = NULL;
    if (erasable_file_open(&f, keys_path, &err) != ERR_OK)
        fail_msg("cannot open: %s", err.msg);
    return f;
}

struct erasable_file *keys_fresh(void)
{
    (void)unlink(keys_path);
    assert_int_equal(erasable_file_create(keys_path, KEYS_NOW, NULL), ERR_OK);
    return keys_reopen(NULL);
}

static struct secret key_of(uint8_t n)
{
    struct secret s = {0};

    assert_int_equal(secret_new(&s, ERASABLE_KEY_LEN, NULL), ERR_OK);
    memset(s.data, n, s.len);
    return s;
}

int keys_put(struct erasable_file *f, uint64_t cell, uint8_t n)
{
    struct secret key = key_of(n);
    int rc = erasable_file_write(f, cell, &key, NULL);

    secret_free(&key);
    return rc;
}

int keys_get(struct erasable_file *f, uint64_t cell)
{
    struct secret key = {0};
    int rc = erasable_file_read(f, cell, &key, NULL), n;

    if (rc != ERR_OK)
        return rc;
    assert_int_equal(key.len, ERASABLE_KEY_LEN);
    n = key.data[0];
    for (size_t i = 0; i < key.len; i++)
        assert_int_equal(key.data[i], n);
    secret_free(&key);
    return n;
}

void keys_flip(off_t at)
{
    FILE *file = fopen(keys_path, "r+b");
    int c;

    assert_non_null(file);
    assert_int_equal(fseeko(file, at, SEEK_SET), 0);
    c = fgetc(file);
    assert_int_equal(fseeko(file, at, SEEK_SET), 0);
    assert_int_not_equal(fputc(c ^ 1, file), EOF);
    assert_int_equal(fclose(file), 0);
}

int keys_setup(void **state)
{
    (void)state;
    /* A new file of 8 MiB is synced some hundred times: better in memory. */
    (void)snprintf(dir, sizeof(dir), "%s/satchel-erasable-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(keys_path, sizeof(keys_path), "%s/erasable.keys", dir);
    return 0;
}

int keys_teardown(void **state)
{
    (void)state;
    (void)unlink(keys_path);
    return rmdir(dir);
}
