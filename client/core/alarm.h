/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alarm - later than the loop's next turn: any number of waits on one timer.
 *
 * Threads: the loop's own.  Never blocks.
 */
#ifndef CLIENT_CORE_ALARM_H
#define CLIENT_CORE_ALARM_H

#include <uv.h>

#include "client/core/list.h"
#include "common/err.h"

struct alarms;

/* On ${loop}, which must run once more after alarms_free().  ERR_NOMEM. */
MUST_CHECK int alarms_new(uv_loop_t *loop, struct alarms **ret, struct err *err);
void alarms_free(struct alarms *a); /* nobody waits; NULL is fine */

/* Embedded in its owner, who sets ready with alarm_init(). */
struct alarm {
    struct list link;
    uint64_t at; /* the loop's milliseconds */
    void (*ready)(struct alarm *a);
};
void alarm_init(struct alarm *a, void (*ready)(struct alarm *a));

/* Call ready() once, in ${ms} milliseconds; one that waits already waits for this instead. */
void alarm_set(struct alarms *all, struct alarm *a, uint64_t ms);

/* Do not call; harmless if it does not wait. */
void alarm_clear(struct alarm *a);

#endif /* CLIENT_CORE_ALARM_H */
