/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/lifetime.h"

#include "common/show.h"

#define DEFAULT_MS ((uint64_t)7 * 24 * 3600 * 1000)

int lifetime_choose(const struct session_hello *limits, uint64_t asked, uint64_t *ret,
                    struct err *err)
{
    uint64_t ms = asked;
    char words[SHOW_TIME], option[SHOW_SIZE];

    if (ms == 0) {
        ms = DEFAULT_MS;
        if (ms > limits->max_lifetime)
            ms = limits->max_lifetime;
        if (ms < limits->min_lifetime)
            ms = limits->min_lifetime;
    }
    if (ms > limits->max_lifetime) {
        err_set(err, ERR_TOOLARGE, "the server keeps a transfer for at most %s",
                show_span_words(limits->max_lifetime, words));
        err_hint(err, "the longest is --expires %s", show_span(limits->max_lifetime, option));
        return ERR_TOOLARGE;
    }
    if (ms < limits->min_lifetime) {
        uint64_t least = (limits->min_lifetime + 999) / 1000 * 1000;

        err_set(err, ERR_TOOLARGE, "the server keeps a transfer for at least %s",
                show_span_words(least, words));
        err_hint(err, "to end it at once there is 'satchel revoke'");
        return ERR_TOOLARGE;
    }
    *ret = ms;
    return ERR_OK;
}

int lifetime_check_end(const struct session_hello *limits, uint64_t created, uint64_t expires,
                       uint64_t now, struct err *err)
{
    uint64_t last =
        created > UINT64_MAX - limits->max_lifetime ? UINT64_MAX : created + limits->max_lifetime;
    char words[SHOW_TIME], day[SHOW_TIME], option[SHOW_SIZE];

    if (expires <= last)
        return ERR_OK;
    err_set(err, ERR_TOOLARGE, "the server keeps a transfer for at most %s, this one until %s",
            show_span_words(limits->max_lifetime, words), show_minute(last, day));
    if (last > now + 1000)
        err_hint(err, "the longest from now on is %s", show_span(last - now, option));
    return ERR_TOOLARGE;
}
