// Stores a file, reads a part of it back, and looks for it among all blobs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	blobv1 "graviton.example/go/generated/graviton/blob/v1"
	corev1 "graviton.example/go/generated/graviton/core/v1"
)

// No frame may be longer.
const frameBytes = 1024 * 1024

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: graviton-example http://127.0.0.1:7480 FILE")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, endpoint, path string) error {
	address := strings.TrimPrefix(endpoint, "http://")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	// Cancels what is under way when something fails.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blobs := blobv1.NewBlobServiceClient(conn)

	stored, err := put(ctx, blobs, path)
	if err != nil {
		return err
	}
	key := stored.Confirmed.Key
	state := "there already"
	if stored.Created {
		state = "new"
	}
	fmt.Printf("Stored %s, %s\n", text(key), state)

	middle := &corev1.ByteRange{Offset: key.Size / 2, Length: proto.Uint64(16)}
	part, err := get(ctx, blobs, key, middle)
	if err != nil {
		return err
	}
	fmt.Printf("Read %d bytes from %d on: %x\n", len(part), middle.Offset, part)

	found, err := isListed(ctx, blobs, key)
	if err != nil {
		return err
	}
	with := "without"
	if found {
		with = "with"
	}
	fmt.Printf("Listed %s it\n", with)
	return nil
}

func put(ctx context.Context, blobs blobv1.BlobServiceClient, path string) (*blobv1.PutBlobResponse, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	upload, err := blobs.PutBlob(ctx)
	if err != nil {
		return nil, err
	}
	// The end of a call that is still being sent to: the server's answer says why.
	if err := send(upload, file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return upload.CloseAndRecv()
}

// Sends the messages of one upload: the plan, the frames, and the end, without which nothing is stored.
func send(upload grpc.ClientStreamingClient[blobv1.PutBlobRequest, blobv1.PutBlobResponse], file io.Reader) error {
	plan := &blobv1.PutBlobRequest_Plan{Plan: &blobv1.BlobWritePlan{}}
	if err := upload.Send(&blobv1.PutBlobRequest{Part: plan}); err != nil {
		return err
	}
	buffer := make([]byte, frameBytes)
	for {
		n, err := file.Read(buffer)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		frame := &blobv1.PutBlobRequest_Frame{Frame: buffer[:n]}
		if err := upload.Send(&blobv1.PutBlobRequest{Part: frame}); err != nil {
			return err
		}
	}
	end := &blobv1.PutBlobRequest_End{End: &corev1.UploadEnd{}}
	return upload.Send(&blobv1.PutBlobRequest{Part: end})
}

func get(ctx context.Context, blobs blobv1.BlobServiceClient, key *corev1.Key, part *corev1.ByteRange) ([]byte, error) {
	answers, err := blobs.GetBlob(ctx, &blobv1.GetBlobRequest{Key: key, Range: part})
	if err != nil {
		return nil, err
	}
	var bytes []byte
	for {
		answer, err := answers.Recv()
		if errors.Is(err, io.EOF) {
			return bytes, nil
		}
		if err != nil {
			return nil, err
		}
		bytes = append(bytes, answer.Frame...)
	}
}

func isListed(ctx context.Context, blobs blobv1.BlobServiceClient, key *corev1.Key) (bool, error) {
	listed, err := blobs.ListBlobs(ctx, &blobv1.ListBlobsRequest{})
	if err != nil {
		return false, err
	}
	for {
		blob, err := listed.Recv()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if proto.Equal(blob.Confirmed.Key, key) {
			return true, nil
		}
	}
}

// The key as people and the command line write it.
func text(key *corev1.Key) string {
	algorithm := strings.ToLower(strings.TrimPrefix(key.Algorithm.String(), "HASH_ALGORITHM_"))
	return fmt.Sprintf("%s:%s:%d", algorithm, key.Digest, key.Size)
}
