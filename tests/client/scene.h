/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene - a fake server and users of the real library on one loop, for tests
 * of what the library does when the server is hostile.
 */
#ifndef TESTS_CLIENT_SCENE_H
#define TESTS_CLIENT_SCENE_H

#include "client/satchel.h"
#include "tests/client/fake.h"

enum {
    SCENE_FILE = 600000,  /* bytes: three pieces */
    SCENE_MOST = 64 << 20 /* bytes that a test sends at most */
};

/* How an operation ended. */
struct ending {
    bool done;
    int code;
    char message[512], hint[256];
    char id[SATCHEL_ID_SIZE], path[SATCHEL_PATH_SIZE];
    bool verified, resumed;
    unsigned rows, problems;  /* of a listing */
    int problem;              /* of the last bad row */
    unsigned notices[16];     /* by kind */
    char notice[512];         /* the newest of them */
    uint64_t sent, got, kept; /* pieces */
};

struct actor_handle {
    struct scene *scene;
    struct satchel *s;
    char home[80];
    bool closed;
    struct ending last;
    unsigned pin_questions;
    bool accept_pin;
    unsigned retry_ms; /* for handles to be opened; 0: a lost connection ends everything */
};

struct scene {
    uv_loop_t loop;
    struct fake fake;
    char dir[64], file[80], out[80]; /* a file to send; a folder to receive in */
    struct actor_handle alice, bob, carol;
    unsigned patience; /* ms that a handle waits for an answer; 0: more than a busy machine needs */
    int expect_words;  /* what on_words returns */
    unsigned words;    /* how often they were shown */
};

/* Alice, Bob and Carol are registered; the file is there. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* The file has ${length} bytes from now on, over 0; no two pieces of it are alike. */
void scene_fill_file(struct scene *g, size_t length);

/* A further handle on a home (NULL: one that is not registered). */
void handle_open(struct scene *g, struct actor_handle *h, const char *name, bool registered);
void handle_close(struct actor_handle *h);

/* Close and open again: the next operation connects anew. */
void handle_again(struct actor_handle *h);

/* As handle_again(), and from now on a lost connection is tried again for ${ms}; 0: never. */
void handle_retry(struct actor_handle *h, unsigned ms);

/* Run the loop until the last operation of ${h} has ended, at most 200 s. */
struct ending *wait_for(struct actor_handle *h);

/* Whole operations. */
struct ending *do_register(struct actor_handle *h, const char *username, const char *pin);
struct ending *do_send(struct actor_handle *h, const char *to);
struct ending *do_get(struct actor_handle *h, const char *id); /* NULL: what was sent last */
struct ending *do_list(struct actor_handle *h, enum satchel_folder folder);
struct ending *do_add(struct actor_handle *h, const char *who);
struct ending *do_ping(struct actor_handle *h);
struct ending *do_status(struct actor_handle *h, const char *id);
struct ending *do_log(struct actor_handle *h, const char *id); /* status with the log */
struct ending *do_extend(struct actor_handle *h, const char *id, uint64_t lifetime);

/* What is only begun: to be waited for. Of ${o} an ID of NULL is what was sent last; its cookie and
 * its end are set here. */
struct satchel_op *begin_get(struct actor_handle *h);
struct satchel_op *begin_get_as(struct actor_handle *h, struct satchel_get_options o);
struct satchel_op *begin_send(struct actor_handle *h, const char *to,
                              satchel_progress_cb *progress);

/* The `done` of a get or a send whose cookie is its handle's struct. */
void scene_on_got(void *cookie, const struct satchel_error *err, const struct satchel_got *r);
void scene_on_sent(void *cookie, const struct satchel_error *err, const struct satchel_sent *r);

/* What a hostile server does, and to which answer. */
typedef void plan_change(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n);
struct plan {
    Satchel__Envelope__BodyCase kind;
    unsigned after;      /* let so many of them pass */
    plan_change *change; /* NULL: nothing */
    size_t n;            /* what that may need */
    bool swallow;        /* do not send it */
};
plan_change plan_flip;                         /* a bit of byte ${n} of a piece */
void hostile(struct scene *g, struct plan *p); /* ${p} must live as long as it is in force */
void honest(struct scene *g);

/* Bob gets what was sent last while ${p} is in force: ends with ${code}, leaves nothing. */
void assert_spoiled(struct scene *g, struct plan p, int code);
struct ending *spoiled_get(struct scene *g, struct plan p);

/* Alice sends the file. */
void send_to_bob(struct scene *g);

/* The output folder is empty. */
void assert_no_output(struct scene *g);

/* The file was received, whole, and is removed. */
void assert_output(struct scene *g);

#endif /* TESTS_CLIENT_SCENE_H */
