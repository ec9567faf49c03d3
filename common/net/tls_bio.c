/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_bio.h"

#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static int bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct tls_bio *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buf_put(&t->out, data, len);
    if (t->out.failed)
        return 0;
    *ret_len = len;
    return 1;
}

static int bio_read(BIO *bio, char *to, size_t cap, size_t *ret_len)
{
    struct tls_bio *t = BIO_get_data(bio);
    size_t n = cap < t->in_len ? cap : t->in_len;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(to, t->in, n);
    t->in += n;
    t->in_len -= n;
    *ret_len = n;
    return 1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

/* Lives until the process ends: connections of any thread may use it. */
static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "satchel");

    if (m == NULL || BIO_meth_set_write_ex(m, bio_write) != 1 ||
        BIO_meth_set_read_ex(m, bio_read) != 1 || BIO_meth_set_ctrl(m, bio_ctrl) != 1) {
        BIO_meth_free(m);
        return;
    }
    method = m;
}

BIO *tls_bio_new(struct tls_bio *t)
{
    BIO *bio = NULL;

    (void)pthread_once(&once, make_method);
    if (method == NULL)
        return NULL;
    bio = BIO_new(method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}
