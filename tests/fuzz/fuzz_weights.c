/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weight files.  The input: 1 byte how; then either a file as it is, or
 * changes to a good one, u32 place and u8 new value each, after which the hash
 * is made right or not.  What is accepted is the file that its numbers give.
 */
#include <string.h>

#include "models/keynet.h"
#include "models/keynet_file.h"
#include "tests/exact/sample_net.h"
#include "tests/fuzz/fuzz.h"

enum { HASH_LEN = 32, RAW = 1, MEND = 2, CUT = 4 };

static void check_accepted(const uint8_t *data, size_t len)
{
    struct keynet *net = NULL;
    struct buf again = {0};

    MUST(len == KEYNET_FILE_LEN && keynet_parse(&net, data, len, NULL) == ERR_OK);
    MUST(keynet_file_encode(keynet_params(net), &again, NULL) == ERR_OK);
    MUST(again.len == len && memcmp(again.data, data, len) == 0);
    keynet_free(net);
    buf_free(&again);
}

static void decode(const uint8_t *data, size_t len)
{
    static struct keynet_params params;
    struct err err = {0};
    int rc = keynet_file_decode(&params, data, len, &err);

    MUST(rc == ERR_OK || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
    if (rc == ERR_OK)
        check_accepted(data, len);
    else
        MUST(err.code == rc && err.msg[0] != '\0');
}

/* Places that one byte can name are in the header, others are anywhere. */
static void change(uint8_t *file, struct rd r)
{
    while (r.left >= 5) {
        uint32_t at = rd_u32(&r);

        file[at % KEYNET_FILE_LEN] = rd_u8(&r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct buf good;
    struct rd r = rd_make(data, size);
    uint8_t how = rd_u8(&r);
    size_t len = KEYNET_FILE_LEN;
    uint8_t *file;

    if (good.data == NULL)
        MUST(sample_net_file(SAMPLE_NET_SEED, &good, NULL) == ERR_OK);
    if ((how & RAW) != 0) {
        decode(r.p, r.left);
        return 0;
    }
    file = malloc(KEYNET_FILE_LEN);
    MUST(file != NULL && good.len == KEYNET_FILE_LEN);
    memcpy(file, good.data, good.len);
    if ((how & CUT) != 0)
        len -= rd_u8(&r);
    change(file, r);
    if ((how & MEND) != 0 && len > HASH_LEN)
        MUST(keynet_file_hash(file, len - HASH_LEN, file + len - HASH_LEN, NULL) == ERR_OK);
    decode(file, len);
    free(file);
    return 0;
}
