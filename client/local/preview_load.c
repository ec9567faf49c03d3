/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module is looked for beside the program as it is built, then where it is
 * installed, so that no path from the environment decides what runs.
 */
#include "client/local/preview_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct preview_module *module;
static char why[256], folder[3072];

static void *open_module(void)
{
    char program[2048], path[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;
    void *so = NULL;

    program[n > 0 ? n : 0] = '\0';
    slash = strrchr(program, '/');
    if (slash != NULL) {
        (void)snprintf(path, sizeof(path), "%.*s/../lib/%s", (int)(slash - program), program,
                       PREVIEW_MODULE_FILE);
        so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    return so != NULL ? so
                      : dlopen(SATCHEL_MODULE_DIR "/" PREVIEW_MODULE_FILE, RTLD_NOW | RTLD_LOCAL);
}

static void load(void)
{
    void *so = open_module();
    const struct preview_module *m = so != NULL ? dlsym(so, PREVIEW_MODULE_SYMBOL) : NULL;
    const char *text = m == NULL ? dlerror() : NULL;
    Dl_info info;
    const char *slash;

    if (m != NULL && m->version != PREVIEW_MODULE_VERSION) {
        m = NULL;
        text = "another version of the module";
    }
    if (m == NULL) {
        (void)snprintf(why, sizeof(why), "%s", text != NULL ? text : "unknown reason");
        return;
    }
    if (dladdr(m, &info) != 0 && info.dli_fname != NULL &&
        (slash = strrchr(info.dli_fname, '/')) != NULL)
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - info.dli_fname),
                       info.dli_fname);
    module = m;
}

int preview_load(const struct preview_module **ret_module, struct err *err)
{
    (void)pthread_once(&once, load);
    if (module == NULL) {
        (void)err_set(err, ERR_UNSUPPORTED, "previews are not available: %s", why);
        err_hint(err, "install %s and oneDNN, libpng, libturbojpeg and libwebp",
                 PREVIEW_MODULE_FILE);
        return ERR_UNSUPPORTED;
    }
    *ret_module = module;
    return ERR_OK;
}

int preview_weights(const char *name, char *ret_path, size_t size, struct err *err)
{
    int n;

    if (strpbrk(name, "/.") != NULL)
        n = snprintf(ret_path, size, "%s", name);
    else
        n = snprintf(ret_path, size, "%s/%s.weights", folder, name);
    if (n < 0 || (size_t)n >= size)
        return err_set(err, ERR_INVALID, "name of weights is too long");
    if (!fs_exists(ret_path)) {
        (void)err_set(err, ERR_NOTFOUND, "no weights %s", ret_path);
        err_hint(
            err,
            strcmp(name, "faces") == 0
                ? "faces is for research and not installed: it is in models/weights of the sources"
                : "general is installed with previews; others need --weights FILE");
        return ERR_NOTFOUND;
    }
    return ERR_OK;
}
