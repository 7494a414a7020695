# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_flashline_global_optspecs
    string join \n h/help V/version
end

function __fish_flashline_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_flashline_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_flashline_using_subcommand
    set -l cmd (__fish_flashline_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c flashline -n "__fish_flashline_needs_command" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_needs_command" -s V -l version -d 'Print version'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "run" -d 'Run the station: watch the slots, write and prove every card put in'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "check" -d 'Validate a configuration, its images and this PC, and print what it means'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "setup" -d 'Set a station up, step by step: slots, model, disks of this PC, udev rules, service'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "flash" -d 'Write and prove the named devices once, without a station'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "qualify" -d 'Try the readers of slots on cards that are erased by it, and print the settings to use'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "status" -d 'Print what the running station shows: every slot and every order'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "console" -d 'Show every slot in large letters, for the operator; `q` or Ctrl-C ends it'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "order" -d 'Manage production orders: a target number of good cards for a model'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "reload" -d 'Make the running station read its configuration again, and print whether it took effect'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "restart" -d 'Restart the station when its last card is out, and start no card until then'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "maintenance" -d 'Start no card while somebody works on the station, and say why'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "disarm" -d 'Stop starting cards in a slot or a model, until `flashline arm`'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "arm" -d 'Re-enable a slot or a model that was disarmed'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "identify" -d 'Blink the lamp of a slot for half a minute, to find the slot'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "log" -d 'Read the flash log'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "backup" -d 'Back up the flash log and the configuration into a folder, while the station works'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "restore" -d 'Put flash log and configuration of a backup on this PC, where the log goes on as one history'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "move" -d 'Move the flash log to another PC: it is copied, and is not written on this one any more'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "support" -d 'Collect into one archive what support needs to know about this station, without secrets'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "handover" -d 'Print what is open at the end of a shift: cards to be put in again, orders, slots out of work, faults, and the log\'s anchor'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "image" -d 'Inspect images: what is inside, and whether it may be armed'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "model" -d 'Check model assertions and other signed assertions, approve the first card of a model, and go back to its image of before'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "slots" -d 'List the ports that can hold a card, and what is in them'
complete -c flashline -n "__fish_flashline_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand run" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand run" -l plain -d 'Print one line for each change, also on a terminal'
complete -c flashline -n "__fish_flashline_using_subcommand run" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand check" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand check" -l without-images -d 'Validate the configuration alone: images and the flash log are not read, the PC\'s other programs are not looked at, and the exit code does not depend on the state of this PC. Without this option every image is unpacked to its end, which can take minutes; the station does the same before it uses a configuration'
complete -c flashline -n "__fish_flashline_using_subcommand check" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand check" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l image -d 'The image to write: raw, .xz, .gz, .zst, .bz2 or .zip [default: asked for]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l assertion -d 'The signed model assertion of the image [default: asked for]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l with -d 'Assertions that complete the chain of keys of the model' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l model -d 'Name of the model, as BRAND/MODEL [default: that of the assertion, else asked for]' -r
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l names -d 'Names of the slots, as A1..A8 or A1,A2,B1 [default: A1 and so on, until `q`]' -r
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l unsigned -d 'The image is not one of Ubuntu Core: it has no model assertion'
complete -c flashline -n "__fish_flashline_using_subcommand setup" -l no-start -d 'Do not start the service at the end'
complete -c flashline -n "__fish_flashline_using_subcommand setup" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l log -d 'Record the attempts in this flash log. Only a recorded card is PASS; without a log the word is VERIFIED' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l zeroes -d 'How zeroes of the image are handled. "prove": write them only if the card does not hold zeroes there. "write": always write them. "skip": neither write nor read them; the word is VERIFIED (MAPPED ONLY)' -r -f -a "prove\t''
write\t''
skip\t''"
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l contents -d 'What the image must be. "disk": a whole partition table or one file system. "any": other data too, with a warning' -r -f -a "disk\t''
any\t''"
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l marks -d 'Whether to "refuse" or "erase" a device that bears the mark of a RAID, LVM, ZFS or bcache that does not run here [default: `[policy] marks` of the configuration, else refuse]' -r -f -a "refuse\t''
erase\t''"
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l work-order -d 'Work order to record in the rows' -r
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l operator -d 'Operator\'s name to record in the rows' -r
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l lot -d 'Lot of the blank cards to record in the rows' -r
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l config -d 'Configuration of the station on this PC, if there is one: its own disks and its state are never erased' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l yes -d 'Do not ask before erasing'
complete -c flashline -n "__fish_flashline_using_subcommand flash" -l json -d 'Print one JSON object per device'
complete -c flashline -n "__fish_flashline_using_subcommand flash" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand qualify" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand qualify" -l page -d 'Write a page for the wall beside the station: text, one page of A4' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand qualify" -l send -d 'Write a file for Flashline\'s makers: JSON, without serials and names' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand qualify" -l yes -d 'Do not ask before erasing'
complete -c flashline -n "__fish_flashline_using_subcommand qualify" -l no-hands -d 'Leave out what needs a person: taking each card out and putting it in again'
complete -c flashline -n "__fish_flashline_using_subcommand qualify" -l switch -d 'Also switch the power of each reader\'s port off for two seconds, where the kernel offers that'
complete -c flashline -n "__fish_flashline_using_subcommand qualify" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand status" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand status" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand status" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand console" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand console" -l language -d 'Language: en, de, es, pl or zh [default: the configuration\'s, else LANG]' -r
complete -c flashline -n "__fish_flashline_using_subcommand console" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand console" -l plain -d 'Print one line for each change instead of a picture'
complete -c flashline -n "__fish_flashline_using_subcommand console" -l locked -d 'Take no key: neither `q` nor Ctrl-C ends the panel'
complete -c flashline -n "__fish_flashline_using_subcommand console" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand order; and not __fish_seen_subcommand_from start status stop help" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand order; and not __fish_seen_subcommand_from start status stop help" -f -a "start" -d 'Start an order: the slots of the model make COUNT good cards and then take no more'
complete -c flashline -n "__fish_flashline_using_subcommand order; and not __fish_seen_subcommand_from start status stop help" -f -a "status" -d 'Print the progress of every order'
complete -c flashline -n "__fish_flashline_using_subcommand order; and not __fish_seen_subcommand_from start status stop help" -f -a "stop" -d 'End the order of a model, complete or not; its slots then take cards without counting them'
complete -c flashline -n "__fish_flashline_using_subcommand order; and not __fish_seen_subcommand_from start status stop help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from start" -l model -d 'The model, as BRAND/MODEL' -r
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from start" -l count -d 'Number of good cards to make' -r
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from start" -l name -d 'Name of the order' -r
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from start" -l work-order -d 'Work order to record in the row of each card' -r
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from start" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from start" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from status" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from stop" -l model -d 'The model, as BRAND/MODEL' -r
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from stop" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from stop" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from help" -f -a "start" -d 'Start an order: the slots of the model make COUNT good cards and then take no more'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from help" -f -a "status" -d 'Print the progress of every order'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from help" -f -a "stop" -d 'End the order of a model, complete or not; its slots then take cards without counting them'
complete -c flashline -n "__fish_flashline_using_subcommand order; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand reload" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand reload" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand reload" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand restart" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand restart" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand restart" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -f -a "on" -d 'Start no card any more; running cards are finished. It survives restarts'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -f -a "off" -d 'Start cards again that are put in from now on'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l why -d 'Reason, shown to the operator beside MAINTENANCE' -r
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from on" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from off" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from off" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from off" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "on" -d 'Start no card any more; running cards are finished. It survives restarts'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "off" -d 'Start cards again that are put in from now on'
complete -c flashline -n "__fish_flashline_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand disarm" -l slot -d 'Name of the slot, as on its sticker' -r
complete -c flashline -n "__fish_flashline_using_subcommand disarm" -l model -d 'Name of a model in the configuration: all its slots' -r
complete -c flashline -n "__fish_flashline_using_subcommand disarm" -l reason -d 'Reason, shown to the operator beside DISARMED' -r
complete -c flashline -n "__fish_flashline_using_subcommand disarm" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand disarm" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand disarm" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand arm" -l slot -d 'Name of the slot, as on its sticker' -r
complete -c flashline -n "__fish_flashline_using_subcommand arm" -l model -d 'Name of a model in the configuration: all its slots' -r
complete -c flashline -n "__fish_flashline_using_subcommand arm" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand arm" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand arm" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand identify" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand identify" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand identify" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l model -d 'Only attempts of this model' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l since -d 'Only attempts since TIME: today, yesterday, shift, last-shift, 90min, 2h or 7d (ago), 14:00, 2026-11-24, "2026-11-24 14:00" (local), or RFC 3339' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l until -d 'Only attempts until TIME, written as for --since; a day or a shift is included to its end' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l slot -d 'Only attempts in this slot' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l with -d 'Read the archives of old months in FOLDER together with the log' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l outcome -d 'Only attempts with this outcome' -r -f -a "passed\t''
passed-mapped-only\t''
passed-as-found\t''
passed-as-found-mapped-only\t''
recheck\t''
recheck-mapped-only\t''
failed\t''
refused\t''
pulled\t''
interrupted\t''
changed\t''
station-fault\t''
running\t''"
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l serial -d 'Only cards whose serial or CID begins with this, in upper or lower case' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l limit -d 'Only the newest N attempts' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l follow -d 'Print the newest ten attempts (or --limit), then each attempt as it ends, until stopped'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l json -d 'Print one JSON object per line'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -l csv -d 'Print CSV with a header row'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "serials" -d 'List every card by its serial: the image it carries, and whether it was seen before'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "summary" -d 'Count attempts, and mark slots and card types that fail more often than chance explains'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "show" -d 'Show everything about one attempt'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "report" -d 'Write the report of a lot as one page, for a browser and for paper'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "verify" -d 'Verify that no event was changed, removed, inserted or reordered, and print the log\'s anchor, COUNT:HASH'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "confirm" -d 'Confirm that the running station was meant to begin a new flash log. Until then the station and the panel show NEW FLASH LOG'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "anchor" -d 'Print the log\'s anchor, COUNT:HASH, for `log verify --anchor`. Keep it in a place that users who can write the log cannot change'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "export" -d 'Copy the log as it is now into one new file, verify the copy, and print its anchor, COUNT:HASH'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "archive" -d 'Move old months of the log of a stopped station into one file a month, and verify each file before anything leaves the log'
complete -c flashline -n "__fish_flashline_using_subcommand log; and not __fish_seen_subcommand_from serials summary show report verify confirm anchor export archive help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l model -d 'Only attempts of this model' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l since -d 'Only attempts since TIME: today, yesterday, shift, last-shift, 90min, 2h or 7d (ago), 14:00, 2026-11-24, "2026-11-24 14:00" (local), or RFC 3339' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l until -d 'Only attempts until TIME, written as for --since; a day or a shift is included to its end' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l slot -d 'Only attempts in this slot' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l with -d 'Read the archives of old months in FOLDER together with the log' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l serial -d 'Only cards whose serial or CID begins with this, in upper or lower case' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l expect -d 'Compare the number of good cards with N; exit code 1 if there are fewer' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l json -d 'Print one JSON object per line'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -l csv -d 'Print CSV with a header row'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from serials" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l model -d 'Only attempts of this model' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l since -d 'Only attempts since TIME: today, yesterday, shift, last-shift, 90min, 2h or 7d (ago), 14:00, 2026-11-24, "2026-11-24 14:00" (local), or RFC 3339' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l until -d 'Only attempts until TIME, written as for --since; a day or a shift is included to its end' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l slot -d 'Only attempts in this slot' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l with -d 'Read the archives of old months in FOLDER together with the log' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l by -d 'What to group the attempts by' -r -f -a "day\t''
shift\t''
model\t''
slot\t''
reader\t''
card-type\t''
image\t''"
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from summary" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from show" -l with -d 'Read the archives of old months in FOLDER together with the log' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from show" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from show" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -l model -d 'Only attempts of this model' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -l since -d 'Only attempts since TIME: today, yesterday, shift, last-shift, 90min, 2h or 7d (ago), 14:00, 2026-11-24, "2026-11-24 14:00" (local), or RFC 3339' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -l until -d 'Only attempts until TIME, written as for --since; a day or a shift is included to its end' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -l slot -d 'Only attempts in this slot' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -l with -d 'Read the archives of old months in FOLDER together with the log' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -s o -l output -d 'File to write; `-` is standard output' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from report" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from verify" -l anchor -d 'Verify that the log still contains this anchor, which `flashline log anchor` or a report printed earlier' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from verify" -l against -d 'Compare it with another flash log, or with that of a backup: are they one history, or after which event did they fork?' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from verify" -l with -d 'Read the archives of old months in FOLDER together with the log' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from verify" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from verify" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from confirm" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from confirm" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from confirm" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from anchor" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from anchor" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from anchor" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from export" -l with -d 'Read the archives of old months in FOLDER together with the log' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from export" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from export" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from archive" -l before -d 'Archive the whole months before this one, in the time zone of this PC' -r
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from archive" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from archive" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from archive" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "serials" -d 'List every card by its serial: the image it carries, and whether it was seen before'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "summary" -d 'Count attempts, and mark slots and card types that fail more often than chance explains'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show everything about one attempt'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "report" -d 'Write the report of a lot as one page, for a browser and for paper'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Verify that no event was changed, removed, inserted or reordered, and print the log\'s anchor, COUNT:HASH'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "confirm" -d 'Confirm that the running station was meant to begin a new flash log. Until then the station and the panel show NEW FLASH LOG'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "anchor" -d 'Print the log\'s anchor, COUNT:HASH, for `log verify --anchor`. Keep it in a place that users who can write the log cannot change'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "export" -d 'Copy the log as it is now into one new file, verify the copy, and print its anchor, COUNT:HASH'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "archive" -d 'Move old months of the log of a stopped station into one file a month, and verify each file before anything leaves the log'
complete -c flashline -n "__fish_flashline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand backup" -l file -d 'Back up this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand backup" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand backup" -l if-configured -d 'Do nothing if the configuration names no folder'
complete -c flashline -n "__fish_flashline_using_subcommand backup" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand restore" -l old-log -d 'Flash log of the old disk, if it can still be read: restore nothing if the backup lacks events of it' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand restore" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand restore" -l keep-configuration -d 'Keep the configuration of this PC, and restore the flash log alone'
complete -c flashline -n "__fish_flashline_using_subcommand restore" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand move" -l to -d 'Existing folder, on a disk that goes to the new PC, that gets the folder with log and configuration' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand move" -l why -d 'Reason for taking it back; it is recorded' -r
complete -c flashline -n "__fish_flashline_using_subcommand move" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand move" -l undo -d 'Take back a move that was not completed: the log goes on on this PC'
complete -c flashline -n "__fish_flashline_using_subcommand move" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand support" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand support" -s o -l out -d 'Archive to create [default: flashline-support-DATE-TIME.tar.gz in this directory]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand support" -l lines -d 'The most lines of the journal' -r
complete -c flashline -n "__fish_flashline_using_subcommand support" -l list -d 'Print what goes into an archive and what never does, and make none'
complete -c flashline -n "__fish_flashline_using_subcommand support" -l serials -d 'Leave the serials of cards and devices as they are'
complete -c flashline -n "__fish_flashline_using_subcommand support" -l host-name -d 'Add the name of this PC'
complete -c flashline -n "__fish_flashline_using_subcommand support" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand handover" -l since -d 'Look at cards since TIME, as `flashline log --since` takes it' -r
complete -c flashline -n "__fish_flashline_using_subcommand handover" -l config -d 'Configuration that tells where the flash log is and when shifts begin' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand handover" -l file -d 'Read this flash log instead of the station\'s' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand handover" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand handover" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand handover" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand image; and not __fish_seen_subcommand_from inspect help" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand image; and not __fish_seen_subcommand_from inspect help" -f -a "inspect" -d 'Print what is inside an image, and whether a station would write it to cards'
complete -c flashline -n "__fish_flashline_using_subcommand image; and not __fish_seen_subcommand_from inspect help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from inspect" -l model -d 'Signed model assertion that the image must contain. Without it, the image must be consistent and proven by itself' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from inspect" -l allow -d 'Accept WORD although nothing signs it: a path in `writable`, as system-data/etc/cloud; a path on a boot partition behind its label, as system-boot/overlays; partition-N; gaps' -r
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from inspect" -l trust -d 'Also trust the root key in FILE, a self-signed account-key assertion. Canonical\'s root key is built in' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from inspect" -l with -d 'Assertions that may complete a chain of keys; they are not trusted by themselves' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from inspect" -l at -d 'Judge keys at TIME instead of now, as 2026-11-20T08:00:00Z' -r
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from inspect" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from help" -f -a "inspect" -d 'Print what is inside an image, and whether a station would write it to cards'
complete -c flashline -n "__fish_flashline_using_subcommand image; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand model; and not __fish_seen_subcommand_from check approve rollback help" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand model; and not __fish_seen_subcommand_from check approve rollback help" -f -a "check" -d 'Check model assertions: content, signature, chain of keys, and every rule they break'
complete -c flashline -n "__fish_flashline_using_subcommand model; and not __fish_seen_subcommand_from check approve rollback help" -f -a "approve" -d 'Approve the first card of a model, so that its slots make the others'
complete -c flashline -n "__fish_flashline_using_subcommand model; and not __fish_seen_subcommand_from check approve rollback help" -f -a "rollback" -d 'Arm the image that was armed before for a model, and keep it armed'
complete -c flashline -n "__fish_flashline_using_subcommand model; and not __fish_seen_subcommand_from check approve rollback help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from check" -l trust -d 'Also trust the root key in FILE, a self-signed account-key assertion. Canonical\'s root key is built in' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from check" -l with -d 'Assertions that may complete a chain of keys; they are not trusted by themselves' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from check" -l at -d 'Judge keys at TIME instead of now, as 2026-11-20T08:00:00Z' -r
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from check" -l json -d 'Print one JSON object per file'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from approve" -l card -d 'The card that was looked at, by its serial or the number of its attempt: refused if that is not the first card' -r
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from approve" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from approve" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from rollback" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from rollback" -l socket -d 'Control socket of the station [default: the configuration\'s]' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from rollback" -l json -d 'Print one JSON object'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check model assertions: content, signature, chain of keys, and every rule they break'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "approve" -d 'Approve the first card of a model, so that its slots make the others'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "rollback" -d 'Arm the image that was armed before for a model, and keep it armed'
complete -c flashline -n "__fish_flashline_using_subcommand model; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and not __fish_seen_subcommand_from teach rules own-disks help" -l config -d 'Configuration whose slots are named beside their ports' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand slots; and not __fish_seen_subcommand_from teach rules own-disks help" -l json -d 'Print one JSON object per line'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and not __fish_seen_subcommand_from teach rules own-disks help" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and not __fish_seen_subcommand_from teach rules own-disks help" -f -a "teach" -d 'Learn the port of each slot from cards put in one after the other, and write the slots into the configuration'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and not __fish_seen_subcommand_from teach rules own-disks help" -f -a "rules" -d 'Print the udev rules that keep other programs away from cards in the configured slots, or write them to their place'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and not __fish_seen_subcommand_from teach rules own-disks help" -f -a "own-disks" -d 'Print `[[own_disk]]` tables for the configuration: the disks that are in this PC now'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and not __fish_seen_subcommand_from teach rules own-disks help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from teach" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from teach" -l model -d 'Model of new slots, as BRAND/MODEL' -r
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from teach" -l names -d 'Names of the slots, as A1..A8 or A1,A2,B1 [default: those of the configuration, else A1 and so on]' -r
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from teach" -l from -d 'Name of the first slot; ask for further slots until `q`' -r
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from teach" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from rules" -l config -d 'Configuration of the station' -r -F
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from rules" -l write -d 'Write the rules to their place and apply them, as the service does at every start and reload'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from rules" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from own-disks" -s h -l help -d 'Print help'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from help" -f -a "teach" -d 'Learn the port of each slot from cards put in one after the other, and write the slots into the configuration'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from help" -f -a "rules" -d 'Print the udev rules that keep other programs away from cards in the configured slots, or write them to their place'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from help" -f -a "own-disks" -d 'Print `[[own_disk]]` tables for the configuration: the disks that are in this PC now'
complete -c flashline -n "__fish_flashline_using_subcommand slots; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "run" -d 'Run the station: watch the slots, write and prove every card put in'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "check" -d 'Validate a configuration, its images and this PC, and print what it means'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "setup" -d 'Set a station up, step by step: slots, model, disks of this PC, udev rules, service'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "flash" -d 'Write and prove the named devices once, without a station'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "qualify" -d 'Try the readers of slots on cards that are erased by it, and print the settings to use'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "status" -d 'Print what the running station shows: every slot and every order'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "console" -d 'Show every slot in large letters, for the operator; `q` or Ctrl-C ends it'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "order" -d 'Manage production orders: a target number of good cards for a model'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "reload" -d 'Make the running station read its configuration again, and print whether it took effect'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "restart" -d 'Restart the station when its last card is out, and start no card until then'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "maintenance" -d 'Start no card while somebody works on the station, and say why'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "disarm" -d 'Stop starting cards in a slot or a model, until `flashline arm`'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "arm" -d 'Re-enable a slot or a model that was disarmed'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "identify" -d 'Blink the lamp of a slot for half a minute, to find the slot'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "log" -d 'Read the flash log'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "backup" -d 'Back up the flash log and the configuration into a folder, while the station works'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "restore" -d 'Put flash log and configuration of a backup on this PC, where the log goes on as one history'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "move" -d 'Move the flash log to another PC: it is copied, and is not written on this one any more'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "support" -d 'Collect into one archive what support needs to know about this station, without secrets'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "handover" -d 'Print what is open at the end of a shift: cards to be put in again, orders, slots out of work, faults, and the log\'s anchor'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "image" -d 'Inspect images: what is inside, and whether it may be armed'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "model" -d 'Check model assertions and other signed assertions, approve the first card of a model, and go back to its image of before'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "slots" -d 'List the ports that can hold a card, and what is in them'
complete -c flashline -n "__fish_flashline_using_subcommand help; and not __fish_seen_subcommand_from run check setup flash qualify status console order reload restart maintenance disarm arm identify log backup restore move support handover image model slots help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from order" -f -a "start" -d 'Start an order: the slots of the model make COUNT good cards and then take no more'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from order" -f -a "status" -d 'Print the progress of every order'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from order" -f -a "stop" -d 'End the order of a model, complete or not; its slots then take cards without counting them'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "on" -d 'Start no card any more; running cards are finished. It survives restarts'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "off" -d 'Start cards again that are put in from now on'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "serials" -d 'List every card by its serial: the image it carries, and whether it was seen before'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "summary" -d 'Count attempts, and mark slots and card types that fail more often than chance explains'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "show" -d 'Show everything about one attempt'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "report" -d 'Write the report of a lot as one page, for a browser and for paper'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "verify" -d 'Verify that no event was changed, removed, inserted or reordered, and print the log\'s anchor, COUNT:HASH'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "confirm" -d 'Confirm that the running station was meant to begin a new flash log. Until then the station and the panel show NEW FLASH LOG'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "anchor" -d 'Print the log\'s anchor, COUNT:HASH, for `log verify --anchor`. Keep it in a place that users who can write the log cannot change'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "export" -d 'Copy the log as it is now into one new file, verify the copy, and print its anchor, COUNT:HASH'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "archive" -d 'Move old months of the log of a stopped station into one file a month, and verify each file before anything leaves the log'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from image" -f -a "inspect" -d 'Print what is inside an image, and whether a station would write it to cards'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from model" -f -a "check" -d 'Check model assertions: content, signature, chain of keys, and every rule they break'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from model" -f -a "approve" -d 'Approve the first card of a model, so that its slots make the others'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from model" -f -a "rollback" -d 'Arm the image that was armed before for a model, and keep it armed'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from slots" -f -a "teach" -d 'Learn the port of each slot from cards put in one after the other, and write the slots into the configuration'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from slots" -f -a "rules" -d 'Print the udev rules that keep other programs away from cards in the configured slots, or write them to their place'
complete -c flashline -n "__fish_flashline_using_subcommand help; and __fish_seen_subcommand_from slots" -f -a "own-disks" -d 'Print `[[own_disk]]` tables for the configuration: the disks that are in this PC now'
