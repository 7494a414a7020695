#!/bin/bash
# snapd refuses an account-key that has the name of another key of the same account.
#
# Expected: a key is known by its digest (public-key-sha3-384, the assertion's primary key); `name` is a label for people. Two assertions
#   with different primary keys are independent.
# Seen: the second one is not accepted, even if the first has expired. The same key in a newer revision is accepted, and so is the same
#   name in another account.
# Versions: snapd 2.57.6 (Debian 12, golang-github-snapcore-snapd-dev), built with Go 1.19 or later.
# Written in: snapd, asserts/account_key.go (checkConsistency finds keys by account-id and name; its comment calls it check-then-add and
#   no hard guarantee).
# Hurts: a maker who rolls the signing key each year under one name such as `default`: an image whose seed has both (one for the model,
#   one for older assertions) is refused on first boot, though each assertion is good and signed by a key that is there.
#
# The program below links snapd and is, as snapd is, under the GNU General Public License version 3.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb golang-github-snapcore-snapd-dev=2.57.6-1+deb12u1 golang-dbus-dev=5.1.0-1 golang-golang-x-crypto-dev=1:0.4.0-1 \
	golang-gopkg-tomb.v2-dev=0.0~git20161208.d5d1b58-3 golang-gopkg-yaml.v2-dev=2.4.0-4

go_program <<'GO' >said
package main

import (
	"fmt"
	"regexp"
	"time"

	"github.com/snapcore/snapd/asserts"
	"github.com/snapcore/snapd/asserts/assertstest"
)

var store = assertstest.NewStoreStack("canonical", nil)
var digest = regexp.MustCompile(`"[A-Za-z0-9_-]{64}"`)

func generate() asserts.PublicKey {
	key, _ := assertstest.GenerateKey(752)
	return key.PublicKey()
}

func main() {
	database, err := asserts.OpenDatabase(&asserts.DatabaseConfig{Backstore: asserts.NewMemoryBackstore(), Trusted: store.Trusted})
	if err != nil {
		panic(err)
	}
	add := func(what string, assertion asserts.Assertion) {
		if err := database.Add(assertion); err != nil {
			fmt.Printf("%s: %s\n", what, digest.ReplaceAllString(err.Error(), "DIGEST"))
			return
		}
		fmt.Printf("%s: accepted\n", what)
	}
	acme := assertstest.NewAccount(store, "acme", map[string]interface{}{"account-id": "acme"}, "")
	other := assertstest.NewAccount(store, "other", map[string]interface{}{"account-id": "other"}, "")
	day := func(years int) string { return time.Now().UTC().AddDate(years, 0, 0).Format(time.RFC3339) }
	key := func(account *asserts.Account, name string, public asserts.PublicKey, headers map[string]interface{}) asserts.Assertion {
		headers["name"] = name
		return assertstest.NewAccountKey(store, account, headers, public, "")
	}
	first := generate()
	add("store key", store.StoreAccountKey(""))
	add("acme", acme)
	add("other", other)
	add("default, until last year", key(acme, "default", first, map[string]interface{}{"since": day(-2), "until": day(-1)}))
	add("default, since last year", key(acme, "default", generate(), map[string]interface{}{"since": day(-1)}))
	add("this-year, since last year", key(acme, "this-year", generate(), map[string]interface{}{"since": day(-1)}))
	add("default of the other account", key(other, "default", generate(), map[string]interface{}{"since": day(-1)}))
	newer := map[string]interface{}{"since": day(-2), "until": day(-1), "revision": "1"}
	add("default, the same key, revision 1", key(acme, "default", first, newer))
}
GO
said() { sed -n "s/^$1: //p" said; }
seen 'default, until last year' accepted "$(said 'default, until last year')"
seen 'default, since last year' \
	'account-key assertion for "acme" with ID DIGEST has the same name "default" as existing ID DIGEST' "$(said 'default, since last year')"
seen 'this-year, since last year' accepted "$(said 'this-year, since last year')"
seen 'default of the other account' accepted "$(said 'default of the other account')"
seen 'default, the same key, revision 1' accepted "$(said 'default, the same key, revision 1')"
