# SPDX-License-Identifier: Apache-2.0
# fish completion for satchel.

function __satchel_values
    satchel --json --quiet $argv[1] 2>/dev/null </dev/null | string match -rga "\"$argv[2]\":\"([^\"]*)\""
end

set -l verbs register whoami contacts send inbox get sent status watch revoke extend delete doctor preview

complete -c satchel -f -n "not __fish_seen_subcommand_from $verbs" -a "$verbs"
complete -c satchel -l home -r -d 'Folder of settings and keys'
complete -c satchel -l profile -x -d 'Profile'
complete -c satchel -l json -d 'One JSON object a line'
complete -c satchel -l quiet -d 'No progress'
complete -c satchel -l passphrase-fd -x -d 'Descriptor to read the passphrase from'
complete -c satchel -l help -d 'Help'
complete -c satchel -n '__fish_seen_subcommand_from register' -l server -x -d 'Host and port'
complete -c satchel -n '__fish_seen_subcommand_from register' -l name -x -d 'Username'
complete -c satchel -n '__fish_seen_subcommand_from register' -l email -x -d 'Address'
complete -c satchel -n '__fish_seen_subcommand_from register' -l invite -x -d 'Invitation'
complete -c satchel -n '__fish_seen_subcommand_from register' -l pin -x -d 'Fingerprint of the server'
complete -c satchel -n '__fish_seen_subcommand_from register' -l no-passphrase -d 'For unattended machines'
complete -c satchel -n '__fish_seen_subcommand_from register' -l ca -r -F -d 'Authorities to trust'
complete -c satchel -n '__fish_seen_subcommand_from register' -l recovery-fd -x -d 'Descriptor for the recovery words'
complete -c satchel -n '__fish_seen_subcommand_from send' -F
complete -c satchel -n '__fish_seen_subcommand_from send' -l to -x -a '(__satchel_values contacts name)' -d 'Recipients'
complete -c satchel -n '__fish_seen_subcommand_from send' -l message -x -d 'Text'
complete -c satchel -n '__fish_seen_subcommand_from send' -l expires -x -d 'Lifetime, as in 2d'
complete -c satchel -n '__fish_seen_subcommand_from send' -l opens -x -d 'How often it can be opened'
complete -c satchel -n '__fish_seen_subcommand_from send' -l name -x -d 'File name'
complete -c satchel -n '__fish_seen_subcommand_from send' -l no-preview -d 'No preview of a picture'
complete -c satchel -n '__fish_seen_subcommand_from send' -l no-padding -d 'Let the server learn the exact size'
complete -c satchel -n '__fish_seen_subcommand_from send' -l limit-rate -x -d 'Bytes a second at most'
complete -c satchel -n '__fish_seen_subcommand_from inbox' -l all -d 'Also what is over'
complete -c satchel -n '__fish_seen_subcommand_from inbox' -l previews -d 'Draw the previews of pictures'
complete -c satchel -n '__fish_seen_subcommand_from get delete' -x -a '(__satchel_values inbox id)'
complete -c satchel -n '__fish_seen_subcommand_from get' -s o -r -F -d 'Where to'
complete -c satchel -n '__fish_seen_subcommand_from get' -l force -d 'Replace what is there'
complete -c satchel -n '__fish_seen_subcommand_from get' -l no-receipt -d 'Do not tell the sender'
complete -c satchel -n '__fish_seen_subcommand_from status revoke extend' -x -a '(__satchel_values sent id)'
complete -c satchel -n '__fish_seen_subcommand_from status' -l export -r -F -d 'Write the log'
complete -c satchel -n '__fish_seen_subcommand_from watch' -l notify -d 'Notify the desktop'
complete -c satchel -n '__fish_seen_subcommand_from watch' -l exec -r -d 'Program for each event'
complete -c satchel -n '__fish_seen_subcommand_from revoke' -l from -x -a '(__satchel_values contacts name)' -d 'Recipients'
complete -c satchel -n '__fish_seen_subcommand_from get' -l limit-rate -x -d 'Bytes a second at most'
complete -c satchel -n '__fish_seen_subcommand_from contacts' -x -a 'add list verify remove (__satchel_values contacts name)'
complete -c satchel -n '__fish_seen_subcommand_from preview' -F -a 'encode decode eval'
complete -c satchel -n '__fish_seen_subcommand_from preview' -l weights -r -F -d 'Weights'
complete -c satchel -n '__fish_seen_subcommand_from preview' -l class -x -a '128 256 512' -d 'Bytes'
complete -c satchel -n '__fish_seen_subcommand_from preview' -l output -r -F -d 'Where to'
complete -c satchel -n '__fish_seen_subcommand_from preview' -l sheet -r -F -d 'Contact sheet'
complete -c satchel -n '__fish_seen_subcommand_from preview' -l plot -r -F -d 'Plot'
complete -c satchel -n '__fish_seen_subcommand_from preview' -l only -r -F -d 'List of paths'
complete -c satchel -n '__fish_seen_subcommand_from preview' -l limit -x -d 'Pictures at most'
