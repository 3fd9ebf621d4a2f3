package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Control groups are the one thing of a node that no namespace takes with it. Those of a cluster lie
// below one group that has the name of its run folder, in each hierarchy of version 1 or in the one of
// version 2.
const (
	groupRoot   = "/sys/fs/cgroup"
	groupPrefix = "foresail-cluster-"
)

// cpuWeights is what all pods of a node together weigh against any one program of the machine, by the
// kernel's name for it: as much as 16 of them. By default it would be as much as one, and on a busy
// machine a pod would not even get the CPU that it requests.
var cpuWeights = map[string]string{
	"cpu.shares": "16384", // version 1; a program has 1024
	"cpu.weight": "1600",  // version 2; a program's group has 100
}

func groupFolders(name string) []string {
	found, _ := filepath.Glob(filepath.Join(groupRoot, "*", name))
	if unified, _ := filepath.Glob(filepath.Join(groupRoot, name)); unified != nil {
		found = append(found, unified...)
	}
	return found
}

// makeGroups makes the group above all pods in each hierarchy: the kubelet wants it to be there.
func makeGroups(name string) error {
	hierarchies := []string{groupRoot}
	if _, err := os.Stat(filepath.Join(groupRoot, "cgroup.controllers")); err != nil { // version 1
		if hierarchies, err = filepath.Glob(filepath.Join(groupRoot, "*")); err != nil {
			return err
		}
	}
	for _, hierarchy := range hierarchies {
		if err := os.Mkdir(filepath.Join(hierarchy, name), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("making a control group: %w", err)
		}
		if err := weigh(filepath.Join(hierarchy, name)); err != nil {
			return fmt.Errorf("weighing a control group: %w", err)
		}
	}
	return nil
}

// weigh sets the weight of a group's CPU where the group has one.
func weigh(folder string) error {
	for name, weight := range cpuWeights {
		file, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = file.WriteString(weight)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeGroups removes what a cluster made. Its processes are dead, but perhaps not all yet buried.
func removeGroups(name string) error {
	var err error
	for range 100 {
		err = nil
		for _, folder := range groupFolders(name) {
			err = errors.Join(err, removeTree(folder))
		}
		if err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// sweepGroups removes the groups of clusters that were killed. A group in use cannot be removed, so
// that no harm comes to a cluster that lives.
func sweepGroups(own string) {
	for _, folder := range groupFolders(groupPrefix + "*") {
		if name := filepath.Base(folder); name != own && strings.HasPrefix(name, groupPrefix) {
			_ = removeTree(folder)
		}
	}
}

// removeTree removes the folders of a group from the leaves up; the files in them are the kernel's.
func removeTree(root string) error {
	var folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil // a group that has just gone is what we want
	})
	for _, folder := range slices.Backward(folders) {
		if removing := syscall.Rmdir(folder); removing != nil && !errors.Is(removing, os.ErrNotExist) {
			err = errors.Join(err, &fs.PathError{Op: "rmdir", Path: folder, Err: removing})
		}
	}
	return err
}
