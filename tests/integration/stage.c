/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/transfer/manifest_build.h"
#include "tests/must.h"

struct site stage_site;
struct actor alice, bob, carol;

void stage_up(const char *extra)
{
    struct actor *all[] = {&alice, &bob, &carol};
    struct peer p;

    actor_make(&alice, "alice");
    actor_make(&bob, "bob");
    actor_make(&carol, "carol");
    site_make(&stage_site);
    site_start(&stage_site, extra);
    stage_greet(&p);
    for (size_t i = 0; i < 3; i++)
        MUST(actor_register(&p, all[i], NULL) == OK);
    peer_close(&p);
}

int stage_down(void)
{
    int rc = stage_site.pid != 0 ? site_stop(&stage_site) : 0;

    site_remove(&stage_site);
    actor_free(&alice);
    actor_free(&bob);
    actor_free(&carol);
    return rc;
}

int stage_setup(void **state)
{
    (void)state;
    stage_up(NULL);
    return 0;
}

int stage_teardown(void **state)
{
    (void)state;
    return stage_down();
}

void stage_shift(int64_t ms)
{
    char path[96], next[96];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/clock", stage_site.dir);
    (void)snprintf(next, sizeof(next), "%s/clock.new", stage_site.dir);
    f = fopen(next, "w");
    MUST(f != NULL);
    (void)fprintf(f, "%lld", (long long)ms);
    MUST(fclose(f) == 0);
    MUST(rename(next, path) == 0);
}

void stage_greet(struct peer *p)
{
    MUST(peer_open(p, stage_site.port));
    MUST(peer_hello(p) == OK);
}

void stage_enter(struct peer *p, const struct actor *who)
{
    actor_enter(p, stage_site.port, who);
}

void stage_add_device(void)
{
    struct manifest_device devices[2] = {bob.u.device, carol.u.device};
    struct manifest *m = NULL;
    struct manifest_build_plan plan = {.previous = bob.u.first,
                                       .created = SAMPLE_TIME,
                                       .devices = devices,
                                       .n_devices = 2,
                                       .eks = &bob.u.key,
                                       .n_eks = 1};
    struct peer p;

    MUST(manifest_build(&plan, &bob.u.isk, &m, NULL) == ERR_OK);
    stage_enter(&p, &bob);
    MUST(actor_put_manifest(&p, m) == OK);
    peer_close(&p);
    manifest_free(m);
}

struct actor stage_second_device(void)
{
    struct actor both = bob;

    both.u.device = carol.u.device;
    both.u.dsk = carol.u.dsk;
    return both;
}

void stage_assert_serves(void)
{
    Satchel__Ping ping = SATCHEL__PING__INIT;
    PEER_ENV(env, PING, ping, &ping);
    struct peer p;

    stage_enter(&p, &alice);
    MUST(peer_ask(&p, &env) == OK);
    peer_close(&p);
}

void stage_parcel(struct parcel *x, uint64_t length, uint32_t seed)
{
    const struct actor *who[] = {&alice, &bob, &carol};

    parcel_make(x, who, 3, length, seed);
}

bool stage_status_shows(const char *text)
{
    char socket[96], out[4096];

    (void)snprintf(socket, sizeof(socket), "%s/data/satcheld.sock", stage_site.dir);
    for (int i = 0; i < 200; i++) {
        if (site_run(out, sizeof(out), site_bin("satchelctl"), "--socket", socket, "--json",
                     "status", NULL) == 0 &&
            strstr(out, text) != NULL)
            return true;
        usleep(100000);
    }
    return false;
}
