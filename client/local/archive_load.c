/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/archive_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

struct archive_functions la;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool there;
static char why[256];

/* A name and where its address goes; a function's address as POSIX has dlsym() give it. */
#define ENTRY(name) {#name, (void **)&la.name},

static void load(void)
{
    const struct {
        const char *name;
        void **to;
    } all[] = {ARCHIVE_FUNCTIONS(ENTRY)};
    void *so = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    const char *text;

    there = so != NULL;
    for (size_t i = 0; there && i < sizeof(all) / sizeof(all[0]); i++)
        there = (*all[i].to = dlsym(so, all[i].name)) != NULL;
    text = there ? NULL : dlerror();
    if (text != NULL)
        (void)snprintf(why, sizeof(why), "%s", text);
}

int archive_load(struct err *err)
{
    (void)pthread_once(&once, load);
    if (there)
        return ERR_OK;
    (void)err_set(err, ERR_UNSUPPORTED, "folders are not available: %s", why);
    err_hint(err, "install libarchive (libarchive.so.13)");
    return ERR_UNSUPPORTED;
}
