package controllers

import (
	"errors"
	"fmt"
	"hash/fnv"
)

// Shard is one of several operators that share the applications of an installation,
// by their namespaces: each elects a leader of its own. The zero value is the only one.
type Shard struct {
	index, count uint32
}

// errShard: what was written is no shard.
var errShard = errors.New("write a shard as number/count, such as 1/4, and start one operator for each number")

// ParseShard reads number/count, with numbers from 1.
func ParseShard(text string) (Shard, error) {
	var number, count uint32
	read, err := fmt.Sscanf(text, "%d/%d", &number, &count)
	if err != nil || read != 2 || number < 1 || number > count || text != fmt.Sprintf("%d/%d", number, count) {
		return Shard{}, errShard
	}
	return Shard{number - 1, count}, nil
}

// Holds tells whether the applications of the namespace are this shard's. It depends
// on the namespace's name and the number of shards alone.
func (s Shard) Holds(namespace string) bool {
	if s.count <= 1 {
		return true
	}
	return shareOf(namespace, s.count) == s.index
}

// shareOf spreads names over so many shares. It is always the same one.
func shareOf(name string, shares uint32) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name)) // A hash takes everything.
	return hash.Sum32() % shares
}

// IsFirst tells whether what an installation does once is this one's to do.
func (s Shard) IsFirst() bool { return s.index == 0 }

// LeaseSuffix tells the shard's leader election from the others'.
func (s Shard) LeaseSuffix() string {
	if s.count <= 1 {
		return ""
	}
	return fmt.Sprintf("-%d-of-%d", s.index+1, s.count)
}
