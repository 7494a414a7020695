# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_flashline_fetch_global_optspecs
    string join \n h/help V/version
end

function __fish_flashline_fetch_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_flashline_fetch_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_flashline_fetch_using_subcommand
    set -l cmd (__fish_flashline_fetch_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c flashline-fetch -n "__fish_flashline_fetch_needs_command" -s h -l help -d 'Print help'
complete -c flashline-fetch -n "__fish_flashline_fetch_needs_command" -s V -l version -d 'Print version'
complete -c flashline-fetch -n "__fish_flashline_fetch_needs_command" -f -a "run" -d 'Fetch the images of the configuration that are not here yet'
complete -c flashline-fetch -n "__fish_flashline_fetch_needs_command" -f -a "get" -d 'Fetch one image that no configuration names'
complete -c flashline-fetch -n "__fish_flashline_fetch_needs_command" -f -a "list" -d 'List the images of the configuration, and which of them are here'
complete -c flashline-fetch -n "__fish_flashline_fetch_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand run" -l config -d 'Configuration of flashline-fetch' -r -F
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand run" -l json -d 'Print one JSON object per image'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l digest -d 'Digest of the image: sha256:HEX, blake3:HEX, or SHA256SUMS for the one in that file beside it, which trusts whoever can write there' -r
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l sums -d 'Digest of SHA256SUMS itself' -r
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l file -d 'The file of a release directory' -r
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l name -d 'Name of the image here [default: its name at the source]' -r
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l to -d 'Directory for the image' -r -F
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l limit-gb -d 'Most that the image may have, in GB' -r
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l stall-s -d 'How long nothing may come before it is given up, in seconds' -r
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -l json -d 'Print one JSON object'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand get" -s h -l help -d 'Print help'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand list" -l config -d 'Configuration of flashline-fetch' -r -F
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand list" -l json -d 'Print one JSON object per image'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand list" -s h -l help -d 'Print help'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand help; and not __fish_seen_subcommand_from run get list help" -f -a "run" -d 'Fetch the images of the configuration that are not here yet'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand help; and not __fish_seen_subcommand_from run get list help" -f -a "get" -d 'Fetch one image that no configuration names'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand help; and not __fish_seen_subcommand_from run get list help" -f -a "list" -d 'List the images of the configuration, and which of them are here'
complete -c flashline-fetch -n "__fish_flashline_fetch_using_subcommand help; and not __fish_seen_subcommand_from run get list help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
