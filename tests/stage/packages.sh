# Sourced by the stages that need other software.

# packages LOG NAME...: installs those of Debian's packages that are not there. The log is shown when that fails.
packages() (
    log=$1
    shift
    missing=()
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "   installing ${missing[*]}"
    mkdir -p "$(dirname "$log")"
    # Packages that start their service at once would take ports that others use.
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { trap "rm -f $policy" EXIT && printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy; }
    export DEBIAN_FRONTEND=noninteractive
    { timeout 180 apt-get -o DPkg::Lock::Timeout=120 update &&
        timeout 400 apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "${missing[@]}"
    } </dev/null >"$log" 2>&1 || { tail -20 "$log"; exit 1; }
)
