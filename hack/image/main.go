// Command image makes the container images of both programs, without a container
// engine. What is in them is written here and nowhere else: the Dockerfile runs
// this command for the very same files.
//
//	go -C hack/image run . rootfs [--architecture NAME] PROGRAM FOLDER
//	go -C hack/image run . pack [--architectures NAME,NAME] [--repository NAME] [--tag NAME] FOLDER [PROGRAM...]
//
// rootfs makes a program's whole file system below FOLDER, which must be empty or
// absent; pack writes the image of each PROGRAM, or of
// all that ship, to FOLDER/PROGRAM.tar, in the layout
// of the Open Container Initiative, and prints its name and digest. Both compile the checkout that they are in.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// checkout is the project's root, from the folder that this command runs in.
const checkout = "../.."

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) > 0 {
		switch arguments[0] {
		case "rootfs":
			return rootFSCommand(ctx, arguments[1:])
		case "pack":
			return packCommand(ctx, arguments[1:])
		}
	}
	return errors.New("say what to do: rootfs [--architecture NAME] PROGRAM FOLDER, or pack [--architectures NAME,NAME] [--repository NAME] [--tag NAME] FOLDER [PROGRAM...]")
}

func rootFSCommand(ctx context.Context, arguments []string) error {
	set := flag.NewFlagSet("rootfs", flag.ContinueOnError)
	architecture := set.String("architecture", runtime.GOARCH, "`NAME` of the processor architecture, as Go names it")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	if set.NArg() != 2 {
		return errors.New("rootfs: name a program and a folder")
	}
	p, err := programOf(set.Arg(0))
	if err != nil {
		return err
	}
	_, err = writeRootFS(ctx, checkout, p, *architecture, set.Arg(1))
	return err
}

func packCommand(ctx context.Context, arguments []string) error {
	set := flag.NewFlagSet("pack", flag.ContinueOnError)
	architectures := set.String("architectures", "amd64,arm64", "`NAMES` of the processor architectures, as Go names them, separated by commas")
	var name imageName
	set.StringVar(&name.repository, "repository", "localhost/fapi-operator", "what the images' names begin with, before the program's")
	set.StringVar(&name.tag, "tag", "dev", "the images' tag")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	if set.NArg() == 0 {
		return errors.New("pack: name the folder for the archives")
	}
	chosen, err := programsOf(set.Args()[1:])
	if err != nil {
		return err
	}
	for _, p := range chosen {
		digest, err := pack(ctx, checkout, p, strings.Split(*architectures, ","), name, set.Arg(0))
		if err != nil {
			return fmt.Errorf("pack %s: %w", p.name, err)
		}
		fmt.Printf("%s@%s\n", name.of(p), digest)
	}
	return nil
}
