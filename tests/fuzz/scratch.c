/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/scratch.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/secret.h"
#include "tests/fuzz/fuzz.h"

#if defined(__has_feature)
#define HAS_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#else
#define HAS_ASAN 0
#endif

#if HAS_ASAN
#include <sanitizer/lsan_interface.h>
#endif

void scratch_make(char ret_path[SCRATCH_PATH])
{
    bool memory = access("/dev/shm", W_OK) == 0;

    (void)snprintf(ret_path, SCRATCH_PATH, "%s/satchel-fuzz-XXXXXX", memory ? "/dev/shm" : "/tmp");
    MUST(mkdtemp(ret_path) != NULL);
}

void scratch_remove(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *file;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        file = fs_join(path, entry->d_name);
        if (file != NULL && unlink(file) != 0)
            scratch_remove(file);
        free(file);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(path);
}

#if HAS_ASAN
/* Register the part of memory that ${at} lies in. */
static void show_region(uintptr_t at)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        char *dash = NULL;
        uintptr_t begin = strtoul(line, &dash, 16);
        uintptr_t end = *dash == '-' ? strtoul(dash + 1, NULL, 16) : 0;

        if (at >= begin && at < end)
            __lsan_register_root_region((void *)begin, end - begin);
    }
    if (maps != NULL)
        (void)fclose(maps);
}

void scratch_show_secure_heap(void)
{
    static bool shown;
    struct secret s = {0};

    if (shown)
        return;
    shown = true;
    MUST(secret_new(&s, 1, NULL) == ERR_OK);
    show_region((uintptr_t)s.data);
    secret_free(&s);
}
#else
void scratch_show_secure_heap(void)
{
}
#endif
