/* SPDX-License-Identifier: Apache-2.0 */
/* tree - what a folder may be that travels: for both ends (proto/FORMATS.md section 8.1). */
#ifndef CLIENT_LOCAL_TREE_H
#define CLIENT_LOCAL_TREE_H

enum {
    TREE_DEPTH_MAX = 256, /* folders of a path, the top one not counted */
    TREE_PATH_MAX = 4095, /* bytes of a path, the top folder's name with it */
    TREE_MODE = 0777      /* of the mode; never set-user-ID, set-group-ID or sticky */
};

#endif /* CLIENT_LOCAL_TREE_H */
