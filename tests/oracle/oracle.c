/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle - Satchel's cryptography behind a line protocol, so that it can be
 * checked from outside.  For tests only.
 *
 * Standard input: one request a line, its name and fields with single spaces
 * between them.  Bytes are in hex, "-" for none; numbers are decimal.  Standard
 * output: one line each, "ok HEX", "ok TEXT", "fail" or "unsupported".
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/hex.h"
#include "tests/oracle/oracle_ops.h"

/* Cut the next field off ${*rest}; NULL when there is none. */
static char *next_field(char **rest)
{
    char *field = *rest, *space;

    if (field == NULL)
        return NULL;
    space = strchr(field, ' ');
    *rest = space != NULL ? space + 1 : NULL;
    if (space != NULL)
        *space = '\0';
    return field;
}

/* Decoded where it stands. */
static bool read_bytes(char *field, struct part *ret)
{
    const size_t len = strlen(field);

    *ret = part(field, 0);
    if (strcmp(field, "-") == 0)
        return true;
    ret->len = len / 2;
    return len > 0 && hex_decode((uint8_t *)field, field, len) == ERR_OK;
}

static bool read_number(const char *field, uint64_t *ret)
{
    uint64_t v = 0;

    for (const char *p = field; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(*p - '0');
    }
    *ret = v;
    return *field != '\0';
}

static bool read_hash(const char *name, enum hash_id *ret)
{
    for (int id = 0; id < HASH_COUNT; id++) {
        if (strcmp(name, hash_name((enum hash_id)id)) == 0) {
            *ret = (enum hash_id)id;
            return true;
        }
    }
    return false;
}

static enum oracle_answer read_arg(char kind, char *field, struct oracle_arg *ret)
{
    if (kind == 'h')
        return read_hash(field, &ret->hash) ? ORACLE_OK : ORACLE_UNSUPPORTED;
    if (kind == 't')
        ret->bytes = part_str(field);
    if (kind == 'o')
        ret->none = strcmp(field, "-") == 0;
    if (kind == 't' || ret->none)
        return ORACLE_OK;
    if (kind == 'n' || kind == 'o')
        return read_number(field, &ret->number) ? ORACLE_OK : ORACLE_FAIL;
    return read_bytes(field, &ret->bytes) ? ORACLE_OK : ORACLE_FAIL;
}

static enum oracle_answer answer(char *line, struct buf *out)
{
    const struct oracle_op *op = oracle_ops_find(next_field(&line));
    struct oracle_arg args[ORACLE_ARGS_MAX] = {0};

    if (op == NULL)
        return ORACLE_UNSUPPORTED;
    for (size_t i = 0; op->fields[i] != '\0'; i++) {
        char *field = next_field(&line);
        enum oracle_answer a =
            field != NULL ? read_arg(op->fields[i], field, &args[i]) : ORACLE_FAIL;

        if (a != ORACLE_OK)
            return a;
    }
    return line == NULL ? op->run(args, out) : ORACLE_FAIL;
}

static void print_hex(const struct buf *bytes)
{
    char *text = bytes->len > 0 ? malloc(2 * bytes->len + 1) : NULL;

    if (bytes->len > 0 && text == NULL) {
        (void)puts("fail");
        return;
    }
    if (bytes->len > 0)
        hex_encode(text, bytes->data, bytes->len);
    (void)printf("ok %s\n", bytes->len > 0 ? text : "-");
    free(text);
}

static void print_answer(enum oracle_answer a, const struct buf *out)
{
    if (a == ORACLE_OK && buf_check(out, NULL) == ERR_OK)
        print_hex(out);
    else if (a == ORACLE_TEXT && buf_check(out, NULL) == ERR_OK)
        (void)printf("ok %.*s\n", (int)out->len, (const char *)out->data);
    else
        (void)puts(a == ORACLE_UNSUPPORTED ? "unsupported" : "fail");
    (void)fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    struct buf out = {0};

    while ((len = getline(&line, &cap, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        buf_reset(&out);
        print_answer(answer(line, &out), &out);
    }
    buf_free(&out);
    free(line);
    return ferror(stdin) || ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
