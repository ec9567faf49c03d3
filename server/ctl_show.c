/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ctl_show.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/show.h"

static int64_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* What is never negative. */
static uint64_t amount(const json_t *o, const char *key)
{
    return (uint64_t)number(o, key);
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s != NULL ? s : "";
}

int ctl_show_code(const json_t *result)
{
    return number(result, "faults") > 0 || json_array_size(json_object_get(result, "faults")) > 0
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

int ctl_show_done(const json_t *result)
{
    (void)result;
    printf("done\n");
    return EXIT_SUCCESS;
}

static void show_names(const char *what, const json_t *names)
{
    const json_t *name;
    size_t i;

    if (json_array_size(names) == 0)
        return;
    printf("%s", what);
    json_array_foreach(names, i, name) printf("%s%s", i > 0 ? ", " : "", json_string_value(name));
    printf("\n");
}

int ctl_show_reload(const json_t *result)
{
    const json_t *changed = json_object_get(result, "changed");
    const json_t *restart = json_object_get(result, "restart");

    show_names("changed: ", changed);
    show_names("needs a restart: ", restart);
    if (json_array_size(changed) + json_array_size(restart) == 0)
        printf("no setting has changed; certificates were read again\n");
    return EXIT_SUCCESS;
}

int ctl_show_status(const json_t *result)
{
    const json_t *store = json_object_get(result, "store");
    const json_t *shares = json_object_get(result, "shares");
    const json_t *collector = json_object_get(result, "collector");
    char a[SHOW_SIZE], b[SHOW_SIZE], when[SHOW_TIME];

    printf("satcheld %s, up %" PRId64 " s%s\n", text(result, "version"),
           number(result, "uptime_ms") / 1000,
           json_is_true(json_object_get(result, "draining")) ? ", draining" : "");
    printf("registration %s\n", text(result, "registration"));
    printf("connections  %" PRId64 " now, %" PRId64 " accepted, %" PRId64 " refused\n",
           number(result, "connections"), number(result, "accepted"), number(result, "refused"));
    printf("store        %" PRId64 " users, %" PRId64 " transfers, %" PRId64 " uploads, %" PRId64
           " pieces\n",
           number(store, "users"), number(store, "transfers"), number(store, "uploads"),
           number(store, "pieces"));
    printf("disk         index %s, bodies %s\n", show_size(amount(store, "index_used"), a),
           show_size(amount(store, "body_used"), b));
    printf("commits      %" PRId64 " for %" PRId64 " writes\n", number(store, "commits"),
           number(store, "committed"));
    printf("shares       %" PRId64 " computed on %s, %" PRId64 " health failures\n",
           number(shares, "computed"), text(shares, "kernel"), number(shares, "health_failures"));
    printf("collected    %" PRId64 " expired, %" PRId64 " cells erased, %" PRId64 " pieces\n",
           number(collector, "expired"), number(collector, "erased"), number(collector, "pieces"));
    if (json_is_true(json_object_get(collector, "clock_jumped")))
        printf("clock        has jumped: nothing expires since %s; if it is right: "
               "satchelctl clock confirm\n",
               show_time(amount(collector, "clock_trusted"), when));
    return EXIT_SUCCESS;
}

/* Of a mailbox: "2.0 MiB of 4.0 MiB". */
static void show_mailbox(const json_t *u, int width)
{
    char used[SHOW_SIZE], quota[SHOW_SIZE];
    uint64_t limit = amount(u, "quota");

    printf("%*s %s%s\n", width, show_size(amount(u, "used"), used), limit > 0 ? "of " : "",
           limit > 0 ? show_size(limit, quota) : "(no limit)");
}

static void show_user_line(const json_t *u)
{
    printf("%-32s %-42s %-9s ", text(u, "name"), text(u, "user_id"), text(u, "state"));
    show_mailbox(u, 10);
}

int ctl_show_users(const json_t *result)
{
    const json_t *list = json_object_get(result, "users"), *u;
    size_t i;

    json_array_foreach(list, i, u) show_user_line(u);
    printf("%zu user%s\n", json_array_size(list), json_array_size(list) == 1 ? "" : "s");
    return EXIT_SUCCESS;
}

int ctl_show_user(const json_t *result)
{
    char when[SHOW_TIME];

    printf("name      %s\nuser ID   %s\ne-mail    %s\nstate     %s\ncreated   %s\n",
           text(result, "name"), text(result, "user_id"), text(result, "email"),
           text(result, "state"), show_time(amount(result, "created"), when));
    printf("mailbox   ");
    show_mailbox(result, 0);
    printf("manifest  %" PRId64 "\n", number(result, "manifest"));
    return EXIT_SUCCESS;
}

int ctl_show_invite(const json_t *result)
{
    char when[SHOW_TIME];

    printf("%s\n", text(result, "code"));
    fprintf(stderr, "good for %" PRId64 " registration%s until %s\n", number(result, "uses"),
            number(result, "uses") == 1 ? "" : "s", show_time(amount(result, "expires"), when));
    return EXIT_SUCCESS;
}

int ctl_show_invites(const json_t *result)
{
    const json_t *list = json_object_get(result, "invites"), *v;
    char made[SHOW_TIME], until[SHOW_TIME];
    size_t i;

    json_array_foreach(list, i, v)
    {
        printf("%s  made %s  until %s  %" PRId64 " of %" PRId64 " left\n", text(v, "id"),
               show_time(amount(v, "created"), made), show_time(amount(v, "expires"), until),
               number(v, "left"), number(v, "uses"));
    }
    printf("%zu invitation%s\n", json_array_size(list), json_array_size(list) == 1 ? "" : "s");
    return EXIT_SUCCESS;
}

int ctl_show_instances(const json_t *result)
{
    const json_t *list = json_object_get(result, "instances"), *v;
    char made[SHOW_TIME];
    size_t i;

    json_array_foreach(list, i, v)
    {
        printf("%s  %-7s  made %s  %" PRId64 " slots need it\n", text(v, "id"), text(v, "state"),
               show_time(amount(v, "made"), made), number(v, "slots"));
    }
    return EXIT_SUCCESS;
}

int ctl_show_rotated(const json_t *result)
{
    printf("%s is in use; %s stays as long as a slot needs it\n", text(result, "id"),
           text(result, "previous"));
    return EXIT_SUCCESS;
}

int ctl_show_verify(const json_t *result)
{
    const json_t *list = json_object_get(result, "faults"), *f;
    size_t i;

    json_array_foreach(list, i, f)
    {
        if (json_object_get(f, "piece") != NULL)
            printf("%s piece %" PRId64 ": %s\n", text(f, "id"), number(f, "piece"),
                   text(f, "what"));
        else
            printf("%s: %s\n", text(f, "id"), text(f, "what"));
    }
    printf("%" PRId64 " transfers, %" PRId64 " pieces, %" PRId64 " faults",
           number(result, "transfers"), number(result, "pieces"), number(result, CTL_SHOW_FOUND));
    if (amount(result, CTL_SHOW_FOUND) > json_array_size(list))
        printf("; the first %zu are named", json_array_size(list));
    printf("\n");
    return ctl_show_code(result);
}
