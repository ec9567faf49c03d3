/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a send goes to: names of groups taken apart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/op/send.h"
#include "common/show.h"

enum { SLOT_ROOM = 4096 }; /* PROTOCOL.md, OpenTransfer */

void send_free_to(struct send *s)
{
    for (size_t i = 0; s->to != NULL && i < s->n_to; i++)
        free(s->to[i]);
    free(s->to);
    s->to = NULL;
}

uint64_t send_room(const struct send *s)
{
    return s->header.body_length + SLOT_ROOM;
}

static const char make_room[] = "'satchel delete' makes room: 'satchel sent' and 'satchel inbox "
                                "--all' list what is there";

static void say_recipients(const struct send *s, struct satchel_error *err)
{
    if (s->n_recipients == 1 && s->slots[0].person != NULL)
        (void)snprintf(err->message, sizeof(err->message), "the mailbox of '%s' is full",
                       person_name(s->slots[0].person));
    else
        (void)snprintf(err->message, sizeof(err->message), "the mailbox of a recipient is full");
}

/*
 * A stream is paid for as it comes, and the server says by whom: its end may have been read
 * meanwhile.  False: the server does not say.
 */
static bool say_of_stream(const struct send *s, struct satchel_error *err)
{
    const struct link *l = &s->op.s->link;
    char used[SHOW_SIZE], quota[SHOW_SIZE];

    if (strstr(err->message, "your own") != NULL) {
        (void)snprintf(err->message, sizeof(err->message),
                       "your own mailbox is full: %s of %s were in use before, and this is longer "
                       "than the rest",
                       show_size(l->used, used), show_size(l->quota, quota));
        (void)snprintf(err->hint, sizeof(err->hint), "%s", make_room);
        return true;
    }
    if (strstr(err->message, "of a recipient") != NULL) {
        say_recipients(s, err);
        (void)snprintf(err->hint, sizeof(err->hint), "send less at once, or ask them to make room");
        return true;
    }
    return false;
}

void send_say_whose(const struct send *s, struct satchel_error *err)
{
    const struct link *l = &s->op.s->link;
    char used[SHOW_SIZE], quota[SHOW_SIZE], room[SHOW_SIZE];
    size_t told;

    if (say_of_stream(s, err) || !send_length_known(s))
        return;
    if (l->quota > 0 && l->used + send_room(s) > l->quota) {
        (void)snprintf(err->message, sizeof(err->message),
                       "your own mailbox is full: %s of %s are in use, this takes %s",
                       show_size(l->used, used), show_size(l->quota, quota),
                       show_size(send_room(s), room));
        (void)snprintf(err->hint, sizeof(err->hint), "%s", make_room);
        return;
    }
    say_recipients(s, err);
    told = strlen(err->message);
    (void)snprintf(err->message + told, sizeof(err->message) - told, " for this: it takes %s there",
                   show_size(send_room(s), room));
    (void)snprintf(err->hint, sizeof(err->hint),
                   "ask them to make room, if the mailbox is that large, or send less at once");
}

int send_expand(struct send *s, size_t max, struct err *err)
{
    struct contacts_list to, given = {.who = s->to, .n = s->n_to};
    int rc = contacts_expand(s->op.s->profile->vault, &given, max, &to, err);
    size_t n;

    if (rc != ERR_OK)
        return rc;
    send_free_to(s);
    n = to.n;
    s->to = to.who;
    s->n_to = n;
    s->persons = calloc(n, sizeof(*s->persons));
    s->slots = calloc(n + 1, sizeof(*s->slots));
    s->packed_slots = calloc(n + 1, sizeof(*s->packed_slots));
    s->slot_uids = calloc(n + 1, sizeof(*s->slot_uids));
    if (s->persons == NULL || s->slots == NULL || s->packed_slots == NULL || s->slot_uids == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    return ERR_OK;
}
