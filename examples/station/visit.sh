#!/bin/sh
# The visit of a train at this station, over docker: run it, see how it ended, hand it over.
#
#   visit.sh [-s STATION] [-d DATA] [-l LEDGER] [-m MASTER] [-r REVIEW] [-p] REPOSITORY [-- OPTION...]
#
#   REPOSITORY  of the train: its tag `latest` is what has arrived and what will leave, `base`
#               what the train was built as
#   -s STATION  the station folder, /etc/pht if left out
#   -d DATA     the file that the train computes on, or a folder; if only one file is visible in it,
#               TRAIN_DATA_PATH is that file
#   -l LEDGER   the folder of the ledger; if left out, /var/lib/pht if there is one
#   -m MASTER   the image whose program validates the train; if left out, `pht` on the PATH does
#   -r REVIEW   decrypt the sealed results into this new folder with `pht`, and stop before the
#               hand-over; the same line without -r then goes on
#   -p          pull the train first, and push it in the end
#   OPTION      more options of `docker create` for a visit that begins, such as --memory 4g; with
#               --read-only=false there is no volume at /opt, into which a large image is copied
#
# Whatever interrupts it, the same line goes on where it was, and changes nothing once the train is
# handed over; one with other options is refused, and so is another train in the place of this one. It
# ends with 0 only if the sealed train is REPOSITORY:latest (with -r: if the results can be looked at),
# else with the status of the visit. Where there is flock(1), a second run beside the first is refused.
set -eu

# An image may have names with control characters, which would write elsewhere on a terminal.
say() { printf 'visit.sh: %s\n' "$(printf '%s' "$1" | LC_ALL=C tr -c '[:print:]' '?')" >&2; }

fail() {
    say "$1"
    exit "${2:-1}"
}

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 64
}

absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$PWD/$1" ;; esac; }
of_run() { docker container inspect --format "{{$1}}" "$run"; }

# What is asked about the container and the images is read in one call each: a call takes longer than
# all that the script itself does.
read_run() {
    docker container inspect --format '{{.Id}}
{{.Image}}
{{.State.Status}}
{{index .Config.Labels "pht.base"}}
{{index .Config.Labels "pht.validated"}}
{{.HostConfig.UsernsMode}}
{{range .Mounts}}{{if eq .Destination "/opt"}}{{.Source}}{{end}}{{end}}' "$run" >"$work/run" 2>/dev/null || return 1
    {
        read -r run_id; read -r run_image; read -r run_state; read -r run_base; read -r validated
        read -r users; read -r volume
    } <"$work/run"
    # Users of its own see other owners in the volume than a container without them.
    case $users in '' | host) ;; *) volume='' ;; esac
}

read_images() {
    docker image inspect --format '{{.Id}}
{{json .Config.Volumes}}
{{json .Config.Entrypoint}} {{json .Config.Cmd}}
{{json .Config.Cmd}}
{{json .Config.User}}
{{with .Config.Labels}}{{json (index . "pht.visit")}}{{end}}' "$repository:base" "$repository:latest" >"$work/images" || return 1
    {
        read -r base; read -r base_volumes; read -r starts; read -r command; read -r user; read -r _
        read -r latest; read -r latest_volumes; read -r _; read -r _; read -r _; read -r handed_over
    } <"$work/images"
    user=${user#\"}; user=${user%\"}
}

# Also after a start that the engine has refused.
was_never_started() { [ "$(of_run .State.Status)" = created ]; }

# The hand-over of this very visit may already have replaced what has arrived.
is_committed() { [ "$handed_over" = "\"$run_id\"" ]; }

is_same_train() { [ "$base" = "$run_base" ] && { [ "$latest" = "$run_image" ] || is_committed; }; }

check_train() {
    read_images && is_same_train && return
    say "$run visits another train than $repository is now. To finish it, pull the old images again or"
    say "  docker tag $run_base $repository:base"
    say "  docker tag $run_image $repository:latest"
    fail "to visit the new train, give the old visit up with docker rm --volumes $run"
}

# What was handed over without -p is nowhere else: a pull would put the old train in its place. Its
# digests prove no push, since some engines give them to every image: a tag marks it until then.
check_pushed() {
    docker image inspect "$unpushed" >/dev/null 2>&1 || return 0
    say "$unpushed was handed over here and not pushed. To hand it on:"
    say "  docker tag $unpushed $repository:latest && docker push $repository:latest"
    fail "then, or to give it up and pull another train: docker image rm $unpushed"
}

# A volume of `latest` would lie over what the visit mounts, and no hand-over takes one along.
check_images() {
    check_volumes base "$base_volumes"
    check_volumes latest "$latest_volumes"
    case $starts in
        null* | *' null' | '[]'* | *' []') fail "$repository:base has no ENTRYPOINT or no CMD: have it built FROM a master image, with a CMD" ;;
    esac
}

# check_volumes TAG VOLUMES
check_volumes() {
    case $2 in
        null | '{}') ;;
        *) fail "a volume is in no image: have $repository:$1 built without VOLUME $2" ;;
    esac
}

# By the station's own program, which sees no key.
pht_validate() {
    set -- pht validate-image --masters "$station/masters.json" -
    [ -z "$master" ] || set -- docker run --rm --interactive --pull never --network none --read-only \
        --cap-drop ALL --security-opt no-new-privileges \
        --mount "type=bind,$(field source "$station/masters.json"),target=/masters.json,readonly" \
        "$master" validate-image --masters /masters.json -
    "$@"
}

# validate TAG ID
validate() {
    code=0
    # podman reports its progress on stderr.
    docker save "$2" 2>"$work/said" | pht_validate >"$work/verdict" || code=$?
    [ "$code" = 0 ] || cat "$work/said" >&2
    cat "$work/verdict" >&2
    [ "$code" = 0 ] || fail "$repository:$1 is not accepted; nothing of it was started" "$code"
    grep -q "^image: .*$2" "$work/verdict" || fail "not $repository:$1 was validated, which is $2"
}

check_masters() {
    if [ -e "$station/masters.json" ] || [ -h "$station/masters.json" ]; then
        validate latest "$latest"
        [ "$base" = "$latest" ] || validate base "$base"
        validated="$base $latest"
    else
        say "compared with no master image; to have that: docker save MASTER | pht describe-image - >$station/masters.json"
    fi
}

# A container keeps the options it was made with. They are not printed: there may be secrets in them.
check_options() {
    [ "$(of_run 'index .Config.Labels "pht.options"')" != "$options" ] || return 0
    say "$run began with other options. To finish it, start this with those, which are shown by"
    say "  docker container inspect --format '{{index .Config.Labels \"pht.options\"}}' $run"
    fail "for other options, give it up with docker rm --volumes $run, and begin anew"
}

# What a terminal has mixed up, or a log may lose or not keep, does not say how a visit ended; and --rm
# would remove the sealed train.
check_end_can_be_read() {
    facts=$(of_run '.Config.Tty}} {{.HostConfig.AutoRemove}} {{index .HostConfig.LogConfig.Config "mode"')
    case $facts in
        'false false non-blocking') ;;
        'false false '*) ! docker logs "$run" >/dev/null || return 0 ;;
    esac
    docker rm --volumes "$run" >/dev/null
    say "no visit was made: leave out -t, --rm and --log-opt mode=non-blocking"
    fail "if the engine logs so by default, or docker logs fails, add -- --log-driver local"
}

# How the last start ended: the exit status of the container and its status line, as text or as JSON.
# Behind any other beginning there may be names that look like one.
read_end() {
    status=$(docker wait "$run")
    line=$(docker logs "$run" 2>&1 >/dev/null | tail -n 1)
    case $line in
        'pht: result='* | '{"level": "status", '*) ;;
        *) line='' ;;
    esac
}

# says NAME VALUE: whether the status line holds this fact. No value in it can look like another fact.
says() {
    case $line in
        *" $1=$2 "* | *"\"$1\": \"$2\""* | *"\"$1\": $2,"*) return 0 ;;
    esac
    return 1
}

# The last line alone proves nothing: a train can write one like it just before the container is killed.
# So it counts only with the container's own exit status, and never after SIGKILL (137).
is_true_line() { says status "$status" && [ "$status" != 137 ]; }

# The configuration itself says so; an engine that was killed may tell a wrong exit status. The mark
# stands at the beginning of a line, where no text of an author can.
is_finished() {
    docker cp "$run:/opt/train_config.json" - >"$work/config.tar" || return 1
    ! grep -q '^  "pht_unfinished": ' "$work/config.tar"
}

is_sealed() {
    is_true_line || return 1
    case $status in
        0) says result visited || return 1 ;;
        76 | 79) says code already-visited || return 1 ;;  # 76: of an image with an older runner
        *) return 1 ;;
    esac
    is_finished
}

# A visit changes the configuration before anything else.
is_as_arrived() {
    discard "$old"
    create --name "$old" --network none "$run_image" &&
        docker cp "$old:/opt/train_config.json" "$work/before" &&
        docker cp "$run:/opt/train_config.json" "$work/now" &&
        cmp -s "$work/before" "$work/now"
}

# Whether something proves that nothing is lost with the container.
is_worthless() {
    was_never_started && return
    if is_true_line && says state spent; then return 0; fi
    is_finished && is_as_arrived
}

# The client of docker writes the proxies of its configuration, with their passwords, into every
# container, and so into the train; podman those of the environment. Of the configuration only the way
# to the engine is kept.
create() {
    if [ ! -e "$work/client" ]; then
        mkdir "$work/client"
        client=$(absolute "${DOCKER_CONFIG:-${HOME-}/.docker}")
        for name in contexts ca.pem cert.pem key.pem; do
            ln -s "$client/$name" "$work/client/"
        done
        echo '{}' >"$work/client/config.json"
    fi
    said=$(
        DOCKER_CONTEXT=$(docker context inspect --format '{{.Name}}')
        DOCKER_CONFIG=$work/client
        export DOCKER_CONTEXT DOCKER_CONFIG
        unset http_proxy https_proxy ftp_proxy no_proxy HTTP_PROXY HTTPS_PROXY FTP_PROXY NO_PROXY
        docker create --pull never "$@" 2>&1 >/dev/null
    ) || {
        say "$said"
        return 1
    }
    [ -z "$said" ] || say "$said"
}

discard() { docker rm --force --volumes "$1" >/dev/null 2>&1 || true; }

discard_next() {
    discard "$next"
    [ -n "$volume" ] || docker volume rm "$next" >/dev/null 2>&1 || true
}

# The image as it was built, never the one that has arrived. Its own program replaces the train in it by
# the sealed one and compares both; it gets no key and no data to see, and /opt of the visit read-only.
# Without a volume, the train comes through the client into a volume of its own.
put_on_board() {
    there=/dev/shm # a mount point that every container has, and no layer gets
    discard_next
    if [ -n "$volume" ]; then
        # Bound, since podman puts an anonymous volume into the image that it commits.
        from="type=bind,$(field source "$volume"),readonly"
    else
        docker volume rm --force "$next" >/dev/null # of a run that was killed
        docker volume create "$next" >/dev/null
        from="type=volume,source=$next"
    fi
    create --name "$next" --network none --cap-drop ALL \
        --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER \
        --security-opt no-new-privileges --pids-limit 1000 ${user:+--user 0} \
        --mount "$from,target=$there" "$base" hand-over --from "$there"
    [ -n "$volume" ] || copy_through_client
    said=$(docker start --attach "$next" 2>&1) || {
        say "$said"
        fail "the sealed train did not get on board; it is in $run: start this again"
    }
    docker cp "$next:/opt/train_config.json" - | cmp -s - "$work/config.tar" ||
        fail "the program of $repository:base has not put the train on board; it is in $run"
    # Nobody has checked that program, or the train that it was given.
    if [ -z "$validated" ] || [ -z "$volume" ]; then compare_through_client; fi
    check_changes
    commit_next
}

# Prints a path of a container as a tar. A pipe would hide that this was cut short.
pack() { docker cp "$1:/opt/$2" - || : >"$work/failed"; }

copy_through_client() {
    for path in $paths; do pack "$run" "$path" | docker cp - "$next:$there"; done
    [ ! -e "$work/failed" ] || fail "the sealed train could not be read from $run: start this again"
}

compare_through_client() {
    for path in $paths; do
        sealed=$(pack "$run" "$path" | cksum)
        on_board=$(pack "$next" "$path" | cksum)
        if [ -e "$work/failed" ] || [ "$sealed" != "$on_board" ]; then
            fail "$path did not get on board as it is in $run: start this again"
        fi
    done
}

# A name with line breaks goes on in a line that begins in another way.
check_changes() {
    docker diff "$next" >"$work/changes"
    # podman makes /etc/mtab and the like in every container, which it does not list.
    more=$(LC_ALL=C grep -a '^[ACD] /' "$work/changes" | LC_ALL=C grep -a -v -E \
        '^C /(opt|etc)$|^[ACD] /opt/(pht_train|pht_results|train_config\.json|user_sym_key\.key)(/|$)') || return 0
    say "the program of $repository:base changes more than the train: $more"
    fail "do not hand over on this image: tell who built it"
}

# field NAME PATH: one of --mount, whose value is a line of CSV: a path may hold a comma.
field() { printf '"%s=%s"' "$1" "$(printf '%s' "$2" | sed 's/"/""/g')"; }

# Prints /NAME if this is the only visible file in the folder with the data, and no folder is beside it:
# desktops and editors leave more there than anybody sees.
only_file() {
    only=''
    for path in "$data"/*; do
        case ${path##*/} in Thumbs.db | desktop.ini | '~$'*) continue ;; esac
        [ -z "$only" ] || return 0
        only=$path
    done
    [ ! -f "$only" ] || printf '/%s' "${only##*/}"
}

# No key stands in the container's own configuration: it is in the mounted folder.
create_run() {
    is_writable=''
    for option; do [ "$option" != --read-only=false ] || is_writable=yes; done
    set -- --read-only --volume /opt --tmpfs /tmp:exec --network none \
        --no-healthcheck --stop-signal SIGTERM \
        --cap-drop ALL --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER \
        --cap-add KILL --cap-add SETGID --cap-add SETPCAP --cap-add SETUID \
        --security-opt no-new-privileges --pids-limit 1000 --stop-timeout 60 \
        --env LD_PRELOAD= --env LD_AUDIT= --env GCONV_PATH= \
        --env PYTHONEXECUTABLE= --env __PYVENV_LAUNCHER__= --env OPENSSL_CONF= \
        --mount "type=bind,$(field source "$station"),target=/run/pht,readonly" "$@"
    # Only a read-only container needs the volume, into which the engine copies the image's whole /opt.
    [ -z "$is_writable" ] || shift 3 # --read-only --volume /opt
    if [ -n "$data" ]; then
        target=/opt/train_data inside=''
        if [ -d "$data" ]; then inside=$(only_file); else target=$target/$(basename "$data"); fi
        set -- --mount "type=bind,$(field source "$data"),$(field target "$target"),readonly" \
            --env "TRAIN_DATA_PATH=$target$inside" "$@"
    fi
    [ -z "$ledger" ] || set -- --mount "type=bind,$(field source "$ledger"),target=/var/lib/pht" "$@"
    create --name "$run" --label "pht.base=$base" --label "pht.options=$options" \
        --label "pht.validated=$validated" "$@" "$latest"
}

# Starting the same container again finishes or takes back what was interrupted.
make_visit() {
    if [ "$run_state" = running ]; then say "$run is still running: waiting for its end"; fi
    if [ "$run_state" != created ]; then
        read_end
        is_sealed && return
    fi
    docker start --attach "$run" || true # the container itself says how it ended
    read_end
    is_sealed && return
    code=$status
    [ "$code" != 0 ] || code=1
    if is_worthless; then
        docker rm --volumes "$run" >/dev/null
        fail "no visit was made; nothing of it is kept" "$code"
    fi
    if [ "$status" = 137 ]; then
        say "it was killed, perhaps for want of memory; started again, it has the same options"
        say "for others it must be given up: it begins anew then, with the train as it has arrived"
    elif ! is_true_line; then
        say "docker logs $run does not say how it ended: the train in it may be sealed"
    fi
    fail "not finished: start this again, or give it up with docker rm --volumes $run" "$code"
}

# As the program reads it: behind a byte order mark or blanks, and from station.env or a variable.
station_id() {
    {
        if [ -e "$station/station.env" ]; then
            sed "1s/^$(printf '\357\273\277')//" "$station/station.env"
            echo
        fi
        of_run 'range .Config.Env}}{{println .}}{{end'
    } | tr -d '\r' | sed -n 's/^[[:blank:]]*STATION_ID=//p' | sed -n '/./{p;q;}'
}

show_results() {
    mkdir "$work/opt"
    for path in $paths; do
        # Some published stations never write this one.
        docker cp "$run:/opt/$path" "$work/opt/" || [ "$path" = user_sym_key.key ]
    done
    set -- --station "$(station_id)" --key "$station/private_key.pem"
    if [ -e "$station/private_key.password" ]; then
        set -- "$@" --password-file "$station/private_key.password"
    fi
    pht decrypt-results "$work/opt" "$@" --output "$review"
    say "to hand the train over, start this again without -r"
}

# With the configuration of `base`, of which put_on_board has replaced a part.
commit_next() {
    said=$(docker commit --change "CMD $command" \
        ${user:+--change "USER $user"} --change "LABEL pht.visit=$run_id" "$next" "$unpushed" 2>&1) ||
        fail "the sealed train did not become an image: $said"
    docker tag "$unpushed" "$repository:latest"
}

# The image that was replaced, unless something else uses it: its registry has the one that follows.
remove_arrived() {
    [ "$(docker image inspect --format '{{json .RepoTags}}' "$run_image" 2>&1)" != '[]' ] ||
        docker image rm "$run_image" >/dev/null 2>&1 || true
}

hand_over() {
    check_train # another may have come during the visit
    is_committed || put_on_board
    if [ -n "$remote" ]; then
        docker push "$repository:latest"
        docker image rm "$unpushed" >/dev/null 2>&1 || true # an interrupted run has done it
    fi
    discard_next # it uses the volume of the visit
    docker rm --volumes "$run" >/dev/null
    [ -z "$remote" ] || remove_arrived
    say "handed over as $repository:latest"
}

station=/etc/pht data='' ledger='' master='' review='' remote=''
if [ -d /var/lib/pht ]; then ledger=/var/lib/pht; fi
while getopts s:d:l:m:r:p option; do
    case $option in
        s) station=$(absolute "$OPTARG") ;;
        d) data=$(absolute "$OPTARG") ;;
        l) ledger=${OPTARG:+$(absolute "$OPTARG")} ;;
        m) master=$OPTARG ;;
        r) review=$(absolute "$OPTARG") ;;
        p) remote=yes ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# != 0 ] || usage
repository=$1
case ${repository##*/} in
    *[:@]*) fail "$repository: give the repository alone, without a tag or digest" 64 ;;
esac
shift
[ $# = 0 ] || [ "$1" = -- ] || usage
[ $# = 0 ] || shift
options=$(printf '%s\n' "-s $station" "-d $data" ${ledger:+"-l $ledger"} -- "$@")

# The sum tells a/b from a-b.
run=pht-$(printf '%s' "$repository" | tr -c 'A-Za-z0-9_.-' -)
run=$run-$(printf '%s' "$repository" | cksum | cut -d ' ' -f 1)
next=$run-next old=$run-old volume=none # not asked for yet
unpushed=$repository:pht-unpushed
paths='pht_train pht_results train_config.json user_sym_key.key'

# Held by this process alone: a client that outlives a killed script must not keep the lock.
if command -v flock >/dev/null; then
    exec 9>>"${TMPDIR:-/tmp}/$run.lock"
    flock -n 9 || fail "$repository is on its visit already: another visit.sh is at it"
    docker() { command docker "$@" 9>&-; }
fi

end() {
    discard_next
    discard "$old" # podman removes none if one of several does not exist
    rm -rf "$work"
}
work=$(mktemp -d)
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# From here on an image is what its id says: a tag that moves changes nothing.
run_id='' validated=''
if read_run; then
    check_train
    check_options
    latest=$run_image
else
    if [ -n "$remote" ]; then
        check_pushed
        for tag in base latest; do docker pull "$repository:$tag"; done
    fi
    read_images || exit 1
fi
[ "$validated" = "$base $latest" ] || check_masters
check_images
if [ -z "$run_id" ]; then
    create_run "$@"
    read_run
fi
if [ "$run_state" = created ]; then check_end_can_be_read; fi
make_visit
if [ -n "$review" ]; then
    show_results
elif says code already-visited && is_as_arrived; then
    docker rm --volumes "$run" >/dev/null
    say "nothing to do: the visit was handed over before, as $repository:latest"
else
    hand_over
fi
