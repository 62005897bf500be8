// Checks ../fastcdc.json against an implementation that shares nothing with the one that made it: FastCDC one byte at
// a time, as the paper defines it, with the table computed and not copied.
package main

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"os"
	"slices"
)

type vectors struct {
	Gear  []string
	Cases []testCase
}

type testCase struct {
	Input         string
	Length        int
	AverageBytes  int
	MinimumBytes  int
	MaximumBytes  int
	Normalization int
	Seed          uint64 `json:",string"`
	Sweep         bool
	Blocks        []int
	Count         int
	SHA256        string
}

// Bits of the mask for blocks of 2^n bytes, n from 7: published with the C and Rust implementations.
var masks = []uint64{
	0x18035100, 0x1800035300, 0x19000353000, 0x590003530000, 0xd90003530000, 0xd90103530000, 0xd90303530000,
	0xd90313530000, 0xd90f03530000, 0xd90303537000, 0xd90703537000, 0xd90707537000, 0xd91707537000, 0xd91747537000,
	0xd91767537000, 0xd93767537000, 0xd93777537000, 0xd93777577000, 0xdb3777577000,
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(text, &all); err != nil {
		log.Fatal(err)
	}
	for value, entry := range gear(0) {
		if want := fmt.Sprintf("%016x", entry); all.Gear[value] != want {
			log.Fatalf("gear[%d] is %s here and %s in the file", value, want, all.Gear[value])
		}
	}
	for number, one := range all.Cases {
		if !agrees(one) {
			log.Fatalf("case %d differs: %+v", number, one)
		}
	}
	fmt.Printf("the table and %d cases agree\n", len(all.Cases))
}

func agrees(one testCase) bool {
	input := makeInput(one.Input, one.Length)
	var lengths []int
	if one.Sweep {
		for end := range one.Length + 1 {
			lengths = append(lengths, blocks(input[:end], one)...)
		}
	} else {
		lengths = blocks(input, one)
	}
	if one.SHA256 == "" {
		return slices.Equal(lengths, one.Blocks)
	}
	hash := sha256.New()
	for _, length := range lengths {
		hash.Write(binary.LittleEndian.AppendUint32(nil, uint32(length)))
	}
	return len(lengths) == one.Count && hex.EncodeToString(hash.Sum(nil)) == one.SHA256
}

func blocks(input []byte, plan testCase) []int {
	table := gear(plan.Seed)
	bits := nearestPower(plan.AverageBytes)
	strict, loose := masks[bits+plan.Normalization-7], masks[bits-plan.Normalization-7]
	var lengths []int
	for len(input) > 0 {
		length := block(input, plan, &table, strict, loose)
		lengths = append(lengths, length)
		input = input[length:]
	}
	return lengths
}

// The block ends before the byte that makes the hash match. Bytes are taken in pairs from the start of the block, so
// odd bounds count as the even number below, and a last byte without a partner is not looked at.
func block(input []byte, plan testCase, table *[256]uint64, strict, loose uint64) int {
	limit := min(len(input), plan.MaximumBytes)
	if limit <= plan.MinimumBytes {
		return limit
	}
	var hash uint64
	for at := plan.MinimumBytes &^ 1; at < limit&^1; at++ {
		mask := loose
		if at < plan.AverageBytes&^1 {
			mask = strict
		}
		hash = hash<<1 + table[input[at]]
		if hash&mask == 0 {
			return at
		}
	}
	return limit
}

func gear(seed uint64) (table [256]uint64) {
	for value := range table {
		var copies [64]byte
		for at := range copies {
			copies[at] = byte(value)
		}
		digest := md5.Sum(copies[:])
		table[value] = binary.BigEndian.Uint64(digest[:]) ^ seed
	}
	return table
}

// log2 rounded to the nearest: n is over 2^(k + 1/2) exactly when n^2 is over 2^(2k + 1).
func nearestPower(n int) int {
	power := big.NewInt(int64(n)).BitLen() - 1
	if n*n > 1<<(2*power+1) {
		power++
	}
	return power
}

func makeInput(kind string, length int) []byte {
	bytes := make([]byte, length)
	state := uint32(1)
	next := func() uint32 {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		return state
	}
	switch kind {
	case "random":
		var word [4]byte
		for at := 0; at < length; at += 4 {
			binary.LittleEndian.PutUint32(word[:], next())
			copy(bytes[at:], word[:])
		}
	case "letters":
		for at := range bytes {
			bytes[at] = 'a' + byte(next()>>28)
		}
	case "counting":
		for at := range bytes {
			bytes[at] = byte(at % 251)
		}
	}
	return bytes
}
