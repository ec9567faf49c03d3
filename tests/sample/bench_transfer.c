/* SPDX-License-Identifier: Apache-2.0 */
/* bench_transfer: what the operations of common/transfer cost, on one core. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/must.h"
#include "tests/sample/sample.h"

static struct sample s;
static struct sample_row row;
static struct receive received;
static struct body *body;
static uint8_t *piece;

static void run_share(void)
{
    static struct share_pair pair;
    static uint8_t o[SHARE_OUTPUT_LEN];
    static const struct instance_id instance;
    struct share_place place = {.uid = s.user[1].uid};
    uint8_t a[SHARE_INPUT_LEN];

    MUST_OK(share_input(&s.cek, &place, a));
    MUST_OK(share_output(&s.cek, &place, &instance, o, &pair));
}

static void run_seed(void)
{
    static const uint8_t nonce[SHARE_NONCE_LEN];
    struct share_cells cells = {&s.cek, &s.mek};
    struct share_place place = {.uid = s.user[1].uid};
    uint8_t sealed[SHARE_SEALED_LEN];
    struct secret seed = {0};

    MUST_OK(share_seal_seed(&cells, &place, &s.cek, nonce, sealed));
    MUST_OK(share_open_seed(&cells, &place, PART_OF(sealed), &seed, NULL));
    secret_free(&seed);
}

static void run_seal(void)
{
    struct hash32 leaf;

    MUST_OK(body_seal_piece(body, 0, part(s.plain, BODY_PIECE_PLAIN), piece, &leaf));
}

static void run_open(void)
{
    MUST_OK(body_open_piece(body, 0, &s.leaves[0], sample_piece(&s, 0), piece));
}

static void run_slot(void)
{
    struct slot_seal in = {.header = &s.header,
                           .to = &s.user[1].uid,
                           .ek = &s.user[1].key,
                           .share = {&s.share[1].meta, &s.share[1].body},
                           .mek = &s.mek,
                           .cek = &s.cek,
                           .ephemeral = &s.cek};
    struct slot slot;

    MUST_OK(slot_seal(&in, &slot, NULL));
}

static void run_check(void)
{
    MUST_OK(receive_check(&row.in, &received, NULL));
    receive_free(&received);
}

static void run_manifest(void)
{
    const struct manifest *m = s.user[0].first;
    struct manifest *again = NULL;

    MUST_OK(manifest_parse(m->body, PART_OF(m->signature), &again, NULL));
    manifest_free(again);
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
        int times;
        double megabytes; /* each time */
    } rows[] = {
        {"both shares, without the network", run_share, 40000, 0},
        {"sealed seed, made and opened", run_seed, 40000, 0},
        {"piece sealed", run_seal, 2000, 0.262144},
        {"piece opened", run_open, 2000, 0.262144},
        {"slot sealed", run_slot, 3000, 0},
        {"metadata received", run_check, 3000, 0},
        {"manifest read", run_manifest, 3000, 0},
    };

    sample_make(&s, 300000);
    sample_row(&s, SAMPLE_BOB, &row);
    MUST_OK(body_match(&s.cek, &s.header, &body, NULL));
    piece = malloc(BODY_PIECE_SEALED);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double start, each;

        rows[i].run();
        start = now();
        for (int k = 0; k < rows[i].times; k++)
            rows[i].run();
        each = (now() - start) / rows[i].times;
        printf("%-36s %8.2f us %10.0f/s", rows[i].name, each * 1e6, 1 / each);
        if (rows[i].megabytes > 0)
            printf(" %8.0f MB/s", rows[i].megabytes / each);
        printf("\n");
    }
    free(piece);
    body_free(body);
    sample_free(&s);
    return 0;
}
