/* SPDX-License-Identifier: Apache-2.0 */
/* make_vectors FOLDER: write the files of proto/vectors. */
#include <stdlib.h>

#include "tests/sample/vectors.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_vectors FOLDER\n");
        return 2;
    }
    for (size_t i = 0; vectors_names[i] != NULL; i++) {
        char path[4096];
        FILE *out;

        (void)snprintf(path, sizeof(path), "%s/%s.json", argv[1], vectors_names[i]);
        out = fopen(path, "w");
        if (out == NULL) {
            perror(path);
            return 1;
        }
        vectors_write(vectors_names[i], out);
        if (fclose(out) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}
