/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_seal - a body sealed from file to file, as a send seals it, without a server.
 *
 *   bench_seal FILE OUT
 *   bench_seal --copy FILE OUT     the same reads and writes, and nothing in between
 *
 * Every piece is read, encrypted and hashed on one of as many threads as there are cores, and
 * written where it belongs in OUT; the root of the tree of leaves is computed at the end.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/rng.h"
#include "common/transfer/body.h"

enum { THREADS_MAX = 64 };

static struct {
    int in, out;
    struct body *body;
    struct hash32 *leaves;
    uint64_t size;
    uint32_t pieces;
    bool copy;
    atomic_uint next;
} job;

static void check(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static void *work(void *arg)
{
    uint8_t *piece = aligned_alloc(4096, (BODY_PIECE_SEALED + 4095) / 4096 * 4096);
    uint32_t i;

    check(piece != NULL, "memory");
    while ((i = atomic_fetch_add(&job.next, 1)) < job.pieces) {
        size_t len = body_plain_len(job.size, i), sealed = body_sealed_len(job.size, i);

        check(pread(job.in, piece, len, (off_t)i * BODY_PIECE_PLAIN) == (ssize_t)len, "read");
        check(job.copy ||
                  body_seal_piece(job.body, i, part(piece, len), piece, &job.leaves[i]) == ERR_OK,
              "seal");
        check(pwrite(job.out, piece, sealed, (off_t)i * BODY_PIECE_SEALED) == (ssize_t)sealed,
              "write");
    }
    free(piece);
    return arg;
}

static void start(const char *from, const char *to)
{
    struct secret cek = {0};
    struct header header = {0};
    struct stat st;

    job.in = open(from, O_RDONLY);
    job.out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(job.in >= 0 && job.out >= 0 && fstat(job.in, &st) == 0, "open");
    job.size = header.body_length = (uint64_t)st.st_size;
    job.pieces = body_pieces(job.size);
    job.leaves = calloc(job.pieces, sizeof(*job.leaves));
    check(job.leaves != NULL && secret_new(&cek, BODY_CEK_LEN, NULL) == ERR_OK &&
              rng_bytes(cek.data, cek.len) == ERR_OK &&
              rng_bytes(header.salt, sizeof(header.salt)) == ERR_OK &&
              body_new(&cek, &header, &job.body, NULL) == ERR_OK,
          "keys");
    secret_free(&cek);
}

int main(int argc, char *argv[])
{
    long threads = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t thread[THREADS_MAX];
    struct hash32 root;

    job.copy = argc == 4 && strcmp(argv[1], "--copy") == 0;
    if (argc != 3 && !job.copy) {
        (void)fprintf(stderr, "usage: bench_seal [--copy] FILE OUT\n");
        return 2;
    }
    (void)secret_setup();
    start(argv[argc - 2], argv[argc - 1]);
    threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
    for (long i = 0; i < threads; i++)
        check(pthread_create(&thread[i], NULL, work, NULL) == 0, "thread");
    for (long i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    check(job.copy || body_root(job.leaves, job.pieces, &root) == ERR_OK, "root");
    body_free(job.body);
    free(job.leaves);
    return 0;
}
