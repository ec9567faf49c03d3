/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_manifest get|put STORE UID SEQUENCE FILE - take a user's manifest out of the store of a
 * daemon that is stopped, or put one in: what only somebody who has the server can do.  UID as 40
 * hex digits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/crypto/hex.h"
#include "common/fs.h"
#include "server/store/store.h"

static void on_result(void *arg, struct store_result *res)
{
    *(struct store_result **)arg = res;
}

static struct store_result *wait_for(uv_loop_t *loop, int rc, struct store_result **res)
{
    while (rc == ERR_OK && *res == NULL)
        (void)uv_run(loop, UV_RUN_ONCE);
    return *res;
}

static int get(struct store_port *port, uv_loop_t *loop, const struct store_manifest_list *in,
               const char *path)
{
    struct store_result *res = NULL;
    int rc = ERR_NOTFOUND;

    (void)wait_for(loop, store_manifest_list(port, in, on_result, &res), &res);
    if (res != NULL && res->code == ERR_OK && res->count == 1)
        rc = fs_replace(path, res->u.manifests[0].bytes.data, res->u.manifests[0].bytes.len, 0600,
                        NULL);
    store_result_free(res);
    return rc;
}

/* Whatever the one before it is: it follows. */
static int take_before(struct store_port *port, uv_loop_t *loop, struct store_manifest_put *in)
{
    struct store_manifest_list list = {.from = in->seq - 1, .limit = 1};
    struct store_result *res = NULL;
    int rc = ERR_NOTFOUND;

    memcpy(list.uid, in->uid, sizeof(list.uid));
    (void)wait_for(loop, store_manifest_list(port, &list, on_result, &res), &res);
    if (res != NULL && res->code == ERR_OK && res->count == 1)
        rc = hash_sha256(in->before, res->u.manifests[0].bytes.data, res->u.manifests[0].bytes.len);
    store_result_free(res);
    return rc;
}

static int put(struct store_port *port, uv_loop_t *loop, struct store_manifest_put *in,
               const char *path)
{
    struct store_result *res = NULL;
    static uint8_t bytes[STORE_MANIFEST_MAX];
    FILE *f = fopen(path, "rb");
    int rc = ERR_IO;

    if (f == NULL)
        return rc;
    in->bytes = (struct store_blob){bytes, fread(bytes, 1, sizeof(bytes), f)};
    (void)fclose(f);
    rc = take_before(port, loop, in);
    if (rc != ERR_OK)
        return rc;
    (void)wait_for(loop, store_manifest_put(port, in, on_result, &res), &res);
    if (res != NULL)
        rc = res->code;
    store_result_free(res);
    return rc;
}

int main(int argc, char **argv)
{
    struct store_manifest_list list = {.limit = 1};
    struct store_manifest_put one = {.now = 1};
    struct store_config cfg = {0};
    struct store_port *port = NULL;
    struct store *store = NULL;
    struct err err = {0};
    uv_loop_t loop;
    int rc;

    if (argc != 6 || strlen(argv[3]) != sizeof(list.uid) * 2 ||
        hex_decode(list.uid, argv[3], sizeof(list.uid) * 2) != ERR_OK) {
        (void)fprintf(stderr, "usage: store_manifest get|put STORE UID SEQUENCE FILE\n");
        return 2;
    }
    cfg.path = argv[2];
    memcpy(one.uid, list.uid, sizeof(one.uid));
    one.seq = list.from = strtoull(argv[4], NULL, 10);
    (void)uv_loop_init(&loop);
    rc = store_open(&store, &cfg, &err);
    if (rc == ERR_OK)
        rc = store_port_open(&port, store, &loop, &err);
    if (rc == ERR_OK && strcmp(argv[1], "get") == 0)
        rc = get(port, &loop, &list, argv[5]);
    else if (rc == ERR_OK)
        rc = put(port, &loop, &one, argv[5]);
    if (port != NULL)
        store_port_close(port, NULL, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    store_close(store);
    (void)uv_loop_close(&loop);
    if (rc != ERR_OK)
        (void)fprintf(stderr, "store_manifest: %s %s\n", err_name(rc), err.msg);
    return rc == ERR_OK ? 0 : 1;
}
