# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for satchel, satcheld and satchelctl.

# Values of one field in the objects that `satchel --json VERB` prints: none of a profile that is
# locked, for descriptor 0 gives no passphrase, and nothing is asked.
_satchel_values()
{
    satchel --json --quiet --passphrase-fd 0 "$1" 2>/dev/null </dev/null | grep -o "\"$2\":\"[^\"]*\"" | cut -d '"' -f 4
}

_satchel()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' word
    local verbs='register recover whoami contacts keys device profile send inbox get sent status watch revoke extend delete receipts doctor preview factor fernet passphrase unlock lock account help'
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ " $verbs " != *" $word "* ]] || { verb=$word && break; }
    done
    case $prev in
    --to | --from)
        mapfile -t COMPREPLY < <(compgen -W "$(_satchel_values contacts name)" -- "$cur")
        return
        ;;
    --device-secret)
        mapfile -t COMPREPLY < <(compgen -W 'keyring file' -- "$cur")
        return
        ;;
    --home | --ca | --key | -o | --output | --weights | --sheet | --plot | --only | encode | decode | eval)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        local options='--home --profile --json --quiet --passphrase-fd --help'
        case $verb in
        register) options+=' --server --name --email --invite --pin --ca --no-passphrase --recovery-fd' ;;
        recover) options+=' --server --name --id --words-fd --otp-fd --pin --ca --no-passphrase' ;;
        send) options+=' --to --message --expires --opens --name --no-preview --no-padding --require-otp --limit-rate --abandon' ;;
        inbox) options+=' --all --previews' ;;
        profile) options+=' --yes' ;;
        device) options+=' --last --yes --valid --name --otp-fd --server --code-fd --pin --ca --no-passphrase' ;;
        revoke) options+=' --from' ;;
        status) options+=' --export' ;;
        watch) options+=' --notify --exec' ;;
        contacts) options+=' --name --number' ;;
        preview) options+=' --weights --class --output --sheet --plot --only --limit --crops' ;;
        get) options+=' -o --output --force --no-unpack --no-receipt --otp-fd --limit-rate' ;;
        delete) options+=' --force' ;;
        passphrase) options+=' --renew --none --new-fd --device-secret' ;;
        unlock) options+=' --for' ;;
        factor) options+=' --otp-fd --recovery-fd' ;;
        account) options+=' --yes --words-fd --otp-fd' ;;
        fernet) options+=' --key --key-fd -o --output --force --ttl --passphrase' ;;
        '') options+=' --version' ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    case $verb in
    '' | help) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur") ;;
    preview) mapfile -t COMPREPLY < <(compgen -W "encode decode eval" -- "$cur") ;;
    send) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    get | delete) mapfile -t COMPREPLY < <(compgen -W "$(_satchel_values inbox id)" -- "$cur") ;;
    factor) mapfile -t COMPREPLY < <(compgen -W 'list totp enrol renew remove' -- "$cur") ;;
    fernet) mapfile -t COMPREPLY < <(compgen -W 'encrypt decrypt rotate keygen' -f -- "$cur") ;;
    status | revoke | extend) mapfile -t COMPREPLY < <(compgen -W "$(_satchel_values sent id)" -- "$cur") ;;
    account) mapfile -t COMPREPLY < <(compgen -W 'delete' -- "$cur") ;;
    receipts) mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
    keys) mapfile -t COMPREPLY < <(compgen -W 'list rotate' -- "$cur") ;;
    profile) mapfile -t COMPREPLY < <(compgen -W "list use reset $(_satchel_values profile name)" -- "$cur") ;;
    device) mapfile -t COMPREPLY < <(compgen -W "list add join revoke $(_satchel_values device id)" -- "$cur") ;;
    contacts) mapfile -t COMPREPLY < <(compgen -W "add list verify accept rename remove block unblock group restore $(_satchel_values contacts name)" -- "$cur") ;;
    esac
}

_satcheld()
{
    local cur=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --config | --data | check-config) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    *) mapfile -t COMPREPLY < <(compgen -W 'init pin check-config train shares --config --data --listen --next --help --version' -- "$cur") ;;
    esac
}

_satchelctl()
{
    local cur=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    user) mapfile -t COMPREPLY < <(compgen -W 'show suspend resume' -- "$cur") ;;
    invite) mapfile -t COMPREPLY < <(compgen -W 'create list' -- "$cur") ;;
    instance) mapfile -t COMPREPLY < <(compgen -W 'list rotate' -- "$cur") ;;
    clock) mapfile -t COMPREPLY < <(compgen -W 'confirm' -- "$cur") ;;
    *) mapfile -t COMPREPLY < <(compgen -W 'status users user quota invite verify instance clock reload drain --socket --json --help' -- "$cur") ;;
    esac
}

complete -o filenames -F _satchel satchel
complete -o filenames -F _satcheld satcheld
complete -o filenames -F _satchelctl satchelctl
