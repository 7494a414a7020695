// Snapd-oracle says what snapd's own loader makes of seeds.
//
// Copyright (C) 2026 the Flashline authors
//
// This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License version 3 as
// published by the Free Software Foundation.
//
// This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of
// MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details.
//
// You should have received a copy of the GNU General Public License along with this program. If not, see <https://www.gnu.org/licenses/>.
//
// It is a program of its own because it links snapd, which is under that licence; no part of Flashline links it.
//
//	snapd-oracle ROOTS SEED...
//
// ROOTS is a file of accounts and account-keys that are trusted beside Canonical's. Each SEED is a directory: with `systems` in it, the
// one of a partition `ubuntu-seed`; else the one of Ubuntu Core 16 and 18. Writes a line for each: its name, `takes` or `refuses`, and
// why, separated by tabs.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapcore/snapd/asserts"
	"github.com/snapcore/snapd/asserts/sysdb"
	"github.com/snapcore/snapd/seed"
	"github.com/snapcore/snapd/snap"
	"github.com/snapcore/snapd/timings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: snapd-oracle ROOTS SEED...")
		os.Exit(2)
	}
	roots, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "reading the roots %s: %v\n", os.Args[1], err)
		os.Exit(2)
	}
	defer seed.MockTrusted(append(sysdb.Trusted(), roots...))()
	// Whoever reads the description of a snap says what its plugs are held to; a loader of seeds needs none of them.
	snap.SanitizePlugsSlots = func(*snap.Info) {}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, dir := range os.Args[2:] {
		word, why := "takes", ""
		if err := load(dir); err != nil {
			word, why = "refuses", strings.Join(strings.Fields(err.Error()), " ")
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", filepath.Base(dir), word, why)
	}
}

func read(name string) ([]asserts.Assertion, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []asserts.Assertion
	decoder := asserts.NewDecoder(file)
	for {
		assertion, err := decoder.Decode()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found = append(found, assertion)
	}
}

// A panic of snapd's loader is a seed that no device takes.
func load(dir string) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("panic: %v", why)
		}
	}()
	label := ""
	if systems, err := os.ReadDir(filepath.Join(dir, "systems")); err == nil {
		if len(systems) != 1 {
			return fmt.Errorf("%d systems", len(systems))
		}
		label = systems[0].Name()
	}
	loaded, err := seed.Open(dir, label)
	if err != nil {
		return err
	}
	if err := loaded.LoadAssertions(nil, nil); err != nil {
		return err
	}
	return loaded.LoadMeta(seed.AllModes, nil, timings.New(nil))
}
