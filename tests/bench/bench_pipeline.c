/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_pipeline - the steps of a send and of a get and nothing else: what this machine bears.
 *
 *   bench_pipeline send FILE STORE    read, AES-256-GCM, SHA-256 -> TLS -> LMDB with fdatasync
 *   bench_pipeline get FILE STORE     LMDB -> TLS -> SHA-256, AES-256-GCM, written and synced
 *                                     (FILE "-": to standard output, not synced)
 *
 * Two processes, as in life, and one TLS 1.3 connection on loopback.  Each has one thread for the
 * connection and one for the rest, with a bounded number of pieces in between.  STORE is a
 * folder; a send first deletes what an earlier one left in it and so finds pages that exist.  One
 * line on standard error: seconds from the first byte read to the last one durable, and the CPU
 * seconds of both processes in that time.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/crypto/chunked.h"
#include "common/crypto/merkle.h"
#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"
#include "common/net/tls_verify.h"

enum { SLOTS = 48, COMMIT_PIECES = 32, HEAD = 96 /* as long as a frame's head */ };

struct slot {
    _Alignas(4096) uint8_t data[PIECE_SEALED];
    size_t len;
};

/* Pieces on their way from one thread to the other, in order. */
struct pipe_line {
    struct slot *slots;
    uint64_t put, taken; /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t moved;
};

static struct pipe_line line = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .moved = PTHREAD_COND_INITIALIZER};
static const char *file_path, *store_path;
static uint64_t file_len, pieces;
static SSL *ssl;
static struct chunked *keys;
static MDB_env *env;
static MDB_dbi table;

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_pipeline: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void check(bool good, const char *what)
{
    if (!good)
        die(what);
}

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- between the threads ---- */

static struct slot *room(void)
{
    pthread_mutex_lock(&line.lock);
    while (line.put - line.taken == SLOTS)
        pthread_cond_wait(&line.moved, &line.lock);
    pthread_mutex_unlock(&line.lock);
    return &line.slots[line.put % SLOTS];
}

static struct slot *next(void)
{
    pthread_mutex_lock(&line.lock);
    while (line.put == line.taken)
        pthread_cond_wait(&line.moved, &line.lock);
    pthread_mutex_unlock(&line.lock);
    return &line.slots[line.taken % SLOTS];
}

static void step(uint64_t *count, uint64_t n)
{
    pthread_mutex_lock(&line.lock);
    *count += n;
    pthread_cond_signal(&line.moved);
    pthread_mutex_unlock(&line.lock);
}

/* ---- the connection ---- */

static void tls_out(const void *data, size_t len)
{
    check(SSL_write(ssl, data, (int)len) == (int)len, "SSL_write");
}

static void tls_in(void *data, size_t len)
{
    for (size_t got = 0; got < len;) {
        int n = SSL_read(ssl, (uint8_t *)data + got, (int)(len - got));

        check(n > 0, "SSL_read");
        got += (size_t)n;
    }
}

static void send_piece(const void *data, size_t len)
{
    uint8_t head[HEAD] = {0};

    put_be32(head, (uint32_t)len);
    tls_out(head, sizeof(head));
    tls_out(data, len);
}

/* Connection to pieces. */
static void *receive_all(void *arg)
{
    uint8_t head[HEAD];

    for (uint64_t i = 0; i < pieces; i++) {
        struct slot *s = room();

        tls_in(head, sizeof(head));
        s->len = get_be32(head);
        check(s->len <= sizeof(s->data), "length");
        tls_in(s->data, s->len);
        step(&line.put, 1);
    }
    return arg;
}

/* ---- the store ---- */

static void open_store(void)
{
    MDB_txn *txn = NULL;

    check(mkdir(store_path, 0700) == 0 || errno == EEXIST, "mkdir");
    check(mdb_env_create(&env) == 0 && mdb_env_set_mapsize(env, 16UL << 30) == 0 &&
              mdb_env_open(env, store_path, 0, 0600) == 0,
          "open store");
    check(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &table) == 0 &&
              mdb_txn_commit(txn) == 0,
          "open table");
}

/* Delete all; two more commits later LMDB uses the pages again. */
static void empty_store(void)
{
    MDB_txn *txn = NULL;

    for (int i = 0; i < 3; i++) {
        MDB_val k = {1, &(char){0}}, v = {1, &(char){(char)i}};

        check(mdb_txn_begin(env, NULL, 0, &txn) == 0, "begin");
        if (i == 0)
            check(mdb_drop(txn, table, 0) == 0, "drop");
        check(mdb_put(txn, table, &k, &v, 0) == 0 && mdb_txn_commit(txn) == 0, "commit");
    }
}

/* Pieces to the store, as many in a commit as are there, up to COMMIT_PIECES. */
static void store_all(void)
{
    for (uint64_t i = 0; i < pieces;) {
        MDB_txn *txn = NULL;
        int n = 0;

        check(mdb_txn_begin(env, NULL, 0, &txn) == 0, "begin");
        for (; n < COMMIT_PIECES && i < pieces; n++, i++) {
            struct slot *s = next();
            uint8_t key[4];
            MDB_val k = {sizeof(key), key}, v = {s->len, s->data};

            put_be32(key, (uint32_t)i);
            check(mdb_put(txn, table, &k, &v, 0) == 0, "put");
            step(&line.taken, 1);
        }
        check(mdb_txn_commit(txn) == 0, "commit");
    }
}

static void send_store(void)
{
    MDB_txn *txn = NULL;

    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0, "begin");
    for (uint64_t i = 0; i < pieces; i++) {
        uint8_t key[4];
        MDB_val k = {sizeof(key), key}, v;

        put_be32(key, (uint32_t)i);
        check(mdb_get(txn, table, &k, &v) == 0, "get");
        send_piece(v.mv_data, v.mv_size);
    }
    mdb_txn_abort(txn);
}

/* ---- the file ---- */

static struct chunked_run run_of(uint64_t i, const uint8_t *data, size_t len)
{
    return (struct chunked_run){
        .first = i * PIECE_CHUNKS, .final = i + 1 == pieces, .in = part(data, len)};
}

static void *read_and_seal(void *arg)
{
    int fd = open(file_path, O_RDONLY);
    merkle_hash leaf;

    for (uint64_t i = 0; i < pieces; i++) {
        struct slot *s = room();
        size_t len = chunked_piece_plain(file_len, i);
        struct chunked_run run = run_of(i, s->data, len);

        check(pread(fd, s->data, len, (off_t)(i * PIECE_PLAIN)) == (ssize_t)len, "read");
        s->len = chunked_piece_sealed(file_len, i);
        check(chunked_seal_run(keys, &run, s->data) == 0, "seal");
        check(merkle_leaf(leaf, s->data, s->len) == 0, "hash");
        step(&line.put, 1);
    }
    close(fd);
    return arg;
}

static void open_and_write(int fd)
{
    for (uint64_t i = 0; i < pieces; i++) {
        struct slot *s = next();
        struct chunked_run run = run_of(i, s->data, s->len);
        merkle_hash leaf;
        size_t len = 0;

        check(merkle_leaf(leaf, s->data, s->len) == 0, "hash");
        check(chunked_open_run(keys, &run, s->data, &len) == 0, "open");
        for (size_t done = 0; done < len;) {
            ssize_t n = write(fd, s->data + done, len - done);

            check(n > 0, "write");
            done += (size_t)n;
        }
        step(&line.taken, 1);
    }
}

/* ---- the two processes ---- */

static void send_client(void)
{
    pthread_t thread;
    uint8_t ack;

    check(pthread_create(&thread, NULL, read_and_seal, NULL) == 0, "thread");
    for (uint64_t i = 0; i < pieces; i++) {
        struct slot *s = next();

        send_piece(s->data, s->len);
        step(&line.taken, 1);
    }
    tls_in(&ack, 1);
    pthread_join(thread, NULL);
}

static void send_server(void)
{
    pthread_t thread;

    check(pthread_create(&thread, NULL, receive_all, NULL) == 0, "thread");
    store_all();
    pthread_join(thread, NULL);
    tls_out("k", 1);
}

static void get_client(void)
{
    bool to_pipe = strcmp(file_path, "-") == 0;
    int fd = to_pipe ? STDOUT_FILENO : open(file_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pthread_t thread;

    check(fd >= 0, "open file");
    if (!to_pipe && fallocate(fd, 0, 0, (off_t)file_len) != 0)
        check(errno == EOPNOTSUPP, "fallocate");
    check(pthread_create(&thread, NULL, receive_all, NULL) == 0, "thread");
    open_and_write(fd);
    pthread_join(thread, NULL);
    check(to_pipe || fsync(fd) == 0, "fsync");
}

static int listen_somewhere(struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    check(fd >= 0 && bind(fd, (struct sockaddr *)at, sizeof(*at)) == 0 && listen(fd, 1) == 0 &&
              getsockname(fd, (struct sockaddr *)at, &len) == 0,
          "listen");
    return fd;
}

static void shake(SSL_CTX *ctx, int fd, bool server)
{
    static const struct tls_verify verify = {.mode = TLS_VERIFY_COLLECT, .host = "localhost"};
    static struct tls_judge judge;
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ssl = SSL_new(ctx);
    check(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "SSL");
    /* Many records with one call, as an event loop reads them. */
    SSL_set_read_ahead(ssl, 1);
    SSL_set_default_read_buffer_len(ssl, 256 << 10);
    check(server || tls_verify_attach(ssl, &judge, &verify, NULL) == 0, "verify");
    check((server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1, "handshake");
}

static void make_keys(void)
{
    static const uint8_t key[CHUNKED_KEY_LEN], salt[CHUNKED_SALT_LEN];

    check(chunked_new(&keys, key, salt, part(NULL, 0)) == 0, "keys");
}

/* Its CPU seconds go to ${ret_cpu}, which both processes see. */
static void serve(int listener, bool sends, double *ret_cpu)
{
    const char *name = "localhost";
    struct secret key = {0};
    struct buf cert = {0};
    SSL_CTX *ctx = NULL;
    double before;

    check(tls_cert_make("bench", &name, 1, &key, &cert, NULL) == 0 &&
              tls_ctx_server(&ctx, cert.data, cert.len, &key, NULL) == 0,
          "certificate");
    open_store();
    if (sends)
        empty_store();
    shake(ctx, accept(listener, NULL, NULL), true);
    before = cpu();
    tls_out("r", 1);
    if (sends)
        send_server();
    else
        send_store();
    *ret_cpu = cpu() - before;
    mdb_env_close(env);
    _exit(0);
}

static void start_line(void)
{
    line.slots = aligned_alloc(4096, SLOTS * sizeof(*line.slots));
    check(line.slots != NULL, "memory");
    (void)memset(line.slots, 0, SLOTS * sizeof(*line.slots));
}

/* How many bytes the last send left is written beside the store. */
static void note_length(bool sends)
{
    char path[4096];
    struct stat st;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s.length", store_path);
    if (sends) {
        check(stat(file_path, &st) == 0, "file");
        file_len = (uint64_t)st.st_size;
    }
    f = fopen(path, sends ? "w" : "r");
    check(f != NULL, "length");
    if (sends)
        check(fprintf(f, "%llu", (unsigned long long)file_len) > 0, "length");
    else
        check(fscanf(f, "%llu", (unsigned long long *)&file_len) == 1, "length");
    (void)fclose(f);
    pieces = chunked_pieces(file_len);
}

int main(int argc, char *argv[])
{
    bool sends = argc == 4 && strcmp(argv[1], "send") == 0;
    double *shared, began, before, seconds;
    struct sockaddr_in at;
    SSL_CTX *ctx = NULL;
    uint8_t ready;
    int listener, fd, status = 0;
    pid_t child;

    if (!sends && (argc != 4 || strcmp(argv[1], "get") != 0)) {
        (void)fprintf(stderr, "usage: bench_pipeline send|get FILE STORE\n");
        return 2;
    }
    /* As our programs do: LMDB's dirty pages would be faulted in anew for each commit. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
    file_path = argv[2];
    store_path = argv[3];
    note_length(sends);
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(shared != MAP_FAILED, "mmap");
    listener = listen_somewhere(&at);
    start_line();
    child = fork();
    check(child >= 0, "fork");
    if (child == 0)
        serve(listener, sends, shared);
    make_keys();
    check(tls_ctx_client(&ctx, NULL) == 0, "context");
    fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "connect");
    shake(ctx, fd, false);
    tls_in(&ready, 1);
    began = now();
    before = cpu();
    if (sends)
        send_client();
    else
        get_client();
    seconds = now() - began;
    before = cpu() - before;
    check(waitpid(child, &status, 0) == child && status == 0, "server");
    (void)fprintf(stderr, "{\"seconds\": %.4f, \"cpu_client\": %.3f, \"cpu_server\": %.3f}\n",
                  seconds, before, *shared);
    return 0;
}
