/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/when.h"

#include <stddef.h>
#include <time.h>

#include "client/cli/cli.h"
#include "client/cli/options.h"

/* Take ${digits} decimal digits off the front of ${*at}. */
static bool take_number(const char **at, int digits, int *ret)
{
    *ret = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *ret = *ret * 10 + (**at - '0');
    }
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* What stands behind the day: hours and minutes, perhaps seconds and thousandths. */
static bool take_clock(const char **at, struct tm *tm, int *ret_ms)
{
    if (!take_number(at, 2, &tm->tm_hour) || !take_char(at, ':') ||
        !take_number(at, 2, &tm->tm_min))
        return false;
    if (!take_char(at, ':'))
        return true;
    if (!take_number(at, 2, &tm->tm_sec))
        return false;
    return !take_char(at, '.') || take_number(at, 3, ret_ms);
}

/* timegm() takes the 31st of June for the 1st of July; we do not. */
static bool is_real(const struct tm *tm, time_t t)
{
    struct tm back;

    return gmtime_r(&t, &back) != NULL && back.tm_mon == tm->tm_mon &&
           back.tm_mday == tm->tm_mday && back.tm_hour == tm->tm_hour &&
           back.tm_min == tm->tm_min && back.tm_sec == tm->tm_sec;
}

bool when_time(const char *text, uint64_t *ret_ms)
{
    struct tm tm = {0}, copy;
    const char *at = text;
    int year, month, ms = 0;
    time_t t;

    if (!take_number(&at, 4, &year) || !take_char(&at, '-') || !take_number(&at, 2, &month) ||
        !take_char(&at, '-') || !take_number(&at, 2, &tm.tm_mday))
        return false;
    if ((take_char(&at, 'T') || take_char(&at, ' ')) && !take_clock(&at, &tm, &ms))
        return false;
    (void)take_char(&at, 'Z');
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    copy = tm;
    t = timegm(&copy);
    if (*at != '\0' || t < 0 || !is_real(&tm, t))
        return false;
    *ret_ms = (uint64_t)t * 1000 + (uint64_t)ms;
    return true;
}

int when_read(const char *what, const char *text, uint64_t now, struct when *ret,
              struct satchel_error *err)
{
    struct when w = {0};
    int rc;

    if (!options_duration(text, &w.span) && !when_time(text, &w.time)) {
        rc = cli_error(err, SATCHEL_E_INVALID, "%s: '%s' is no length of time and no date", what,
                       text);
        cli_hint(err, "as in 30m, 12h, 7d, 2w, or in UTC 2026-12-24, 2026-12-24T18:00");
        return rc;
    }
    if (w.span == 0 && w.time <= now) {
        rc = cli_error(err, SATCHEL_E_INVALID, "%s: '%s' is in the past", what, text);
        cli_hint(err, "a day is its beginning in UTC; a time of it is as 2026-12-24T18:00");
        return rc;
    }
    *ret = w;
    return SATCHEL_OK;
}
