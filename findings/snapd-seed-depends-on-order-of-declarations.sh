#!/bin/bash
# snapd refuses a seed of Ubuntu Core 20 and later whose stream of assertions has an older revision of a snap-declaration before the newer
# one, and accepts it if the two are exchanged.
#
# Expected: assertions are a set. The newer revision of one supersedes the older one, in any order of the stream.
# Seen: the newer first: the older one is passed over and the seed loads. The older first: both are counted as added, there are now more
#   snap-declarations than snap-revisions, and the loader refuses: "system unexpectedly holds a different number ...". The database itself
#   takes both.
# Versions: snapd 2.57.6 (Debian 12, golang-github-snapcore-snapd-dev), built with Go 1.19 or later.
# Written in: snapd, asserts/batch.go (Batch.Add returns nothing for what is not newer; AddStream returns a reference for each that it
#   added) and seed/seed20.go (LoadAssertions compares the two counts).
# Hurts: a maker of Ubuntu Core images who appends fresh assertions to a seed's file: the image's first boot fails, and the same set in
#   another order boots. Keep one revision of each in the seed, or put the newest first.
#
# The program below links snapd and is, as snapd is, under the GNU General Public License version 3.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb golang-github-snapcore-snapd-dev=2.57.6-1+deb12u1 golang-dbus-dev=5.1.0-1 golang-golang-x-crypto-dev=1:0.4.0-1 \
	golang-gopkg-tomb.v2-dev=0.0~git20161208.d5d1b58-3 golang-gopkg-yaml.v2-dev=2.4.0-4

go_program <<'GO' >said
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/snapcore/snapd/asserts"
	"github.com/snapcore/snapd/asserts/assertstest"
	"github.com/snapcore/snapd/seed"
	"github.com/snapcore/snapd/snap"
)

const gadget = "gadget00000000000000000000000000"
const kernel = "kernel00000000000000000000000000"

var store = assertstest.NewStoreStack("canonical", nil)
var brands = assertstest.NewSigningAccounts(store)
var now = time.Now().UTC().Format(time.RFC3339)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func sign(kind *asserts.AssertionType, headers map[string]interface{}) asserts.Assertion {
	headers["timestamp"] = now
	assertion, err := store.Sign(kind, headers, nil, "")
	check(err)
	return assertion
}

func declaration(revision string) asserts.Assertion {
	return sign(asserts.SnapDeclarationType, map[string]interface{}{
		"series": "16", "snap-id": gadget, "snap-name": "pc", "publisher-id": "brand", "revision": revision,
	})
}

func write(path string, assertions ...asserts.Assertion) {
	var stream bytes.Buffer
	encoder := asserts.NewEncoder(&stream)
	for _, assertion := range assertions {
		check(encoder.Encode(assertion))
	}
	check(os.MkdirAll(filepath.Dir(path), 0o755))
	check(os.WriteFile(path, stream.Bytes(), 0o644))
}

// What the loader of the first boot says of a seed with these declarations, in this order.
func load(declarations ...asserts.Assertion) string {
	root, err := os.MkdirTemp(".", "seed")
	check(err)
	system := filepath.Join(root, "systems", "20260101")
	snaps := []interface{}{
		map[string]interface{}{"name": "pc-kernel", "id": kernel, "type": "kernel", "default-channel": "20"},
		map[string]interface{}{"name": "pc", "id": gadget, "type": "gadget", "default-channel": "20"},
	}
	write(filepath.Join(system, "model"), brands.Model("brand", "board", map[string]interface{}{
		"architecture": "amd64", "base": "core20", "grade": "dangerous", "snaps": snaps,
	}))
	stream := append(brands.AccountsAndKeys("brand"), store.StoreAccountKey(""))
	stream = append(stream, declarations...)
	stream = append(stream, sign(asserts.SnapRevisionType, map[string]interface{}{
		"snap-sha3-384": "QlqR0uAWEAWF5Nwnzj5kqmmwFslYPu1IL16MKtLKhwhv0kpBv5wKZ_axf_nf_2cL", "snap-id": gadget, "snap-size": "4096",
		"snap-revision": "7", "developer-id": "brand",
	}))
	write(filepath.Join(system, "assertions", "all"), stream...)
	opened, err := seed.Open(root, "20260101")
	check(err)
	if err := opened.LoadAssertions(nil, nil); err != nil {
		return err.Error()
	}
	return "loaded"
}

func main() {
	snap.SanitizePlugsSlots = func(*snap.Info) {}
	defer seed.MockTrusted(store.Trusted)()
	key, _ := assertstest.GenerateKey(752)
	brands.Register("brand", key, nil)
	older, newer := declaration("3"), declaration("4")
	fmt.Println(load(newer))
	fmt.Println(load(newer, older))
	fmt.Println(load(older, newer))
}
GO
seen 'revision 4 alone' loaded "$(sed -n 1p said)"
seen 'revision 4, then 3' loaded "$(sed -n 2p said)"
seen 'revision 3, then 4' 'system unexpectedly holds a different number of snap-declaration than snap-revision assertions' "$(sed -n 3p said)"
