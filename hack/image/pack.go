package main

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageName is what an image is called when an engine loads its archive.
type imageName struct{ repository, tag string }

func (n imageName) of(p program) string { return n.repository + "/" + p.name + ":" + n.tag }

// pack compiles a program for each architecture, and writes one image of all of
// them to the folder's NAME.tar. It returns the image's digest.
func pack(ctx context.Context, checkout string, p program, architectures []string, name imageName, folder string) (digest v1.Hash, err error) {
	work, err := os.MkdirTemp("", "image-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if checkout, err = stampable(ctx, checkout, work); err != nil {
		return v1.Hash{}, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var b build
	for _, architecture := range architectures {
		root := filepath.Join(work, architecture)
		if b, err = writeRootFS(ctx, checkout, p, architecture, root); err != nil {
			return v1.Hash{}, err
		}
		image, err := newImage(p, b, architecture, root)
		if err != nil {
			return v1.Hash{}, err
		}
		platform := v1.Platform{OS: "linux", Architecture: architecture}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	if err := writeArchive(index, b, name.of(p), filepath.Join(work, "layout"), filepath.Join(folder, p.name+".tar")); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

// newImage has the folder root as its only layer.
func newImage(p program, b build, architecture, root string) (v1.Image, error) {
	layerFile := root + ".tar"
	if err := writeTar(root, layerFile); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromFile(layerFile, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: b.commit}
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS:           "linux",
		Architecture: architecture,
		Created:      created,
		RootFS:       v1.RootFS{Type: "layers"}, // image-spec, config.md: "MUST be set to layers"
		Config:       p.config(b),
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: created, CreatedBy: "hack/image pack"},
	})
}

// writeArchive puts the image, under its name, into one tar file.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
func writeArchive(index v1.ImageIndex, b build, name, work, file string) error {
	path, err := layout.Write(work, empty.Index)
	if err != nil {
		return err
	}
	annotations := map[string]string{
		"io.containerd.image.name":          name, // The one that containerd, and so kubelet, looks at.
		"org.opencontainers.image.ref.name": name,
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(annotations)); err != nil {
		return err
	}
	if err := settle(work, "", b.commit); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return writeTar(work, file)
}

// writeTar packs what is below dir, in the order of its names and as root's.
func writeTar(dir, file string) (err error) {
	output, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, output.Close()) }()
	archive := tar.NewWriter(output)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		return addToTar(archive, dir, path, entry)
	})
	return errors.Join(err, archive.Close())
}

func addToTar(archive *tar.Writer, dir, path string, entry fs.DirEntry) error {
	header, err := tarHeader(dir, path, entry)
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(header); err != nil || entry.IsDir() {
		return err
	}
	content, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return errors.Join(err, content.Close())
}

// tarHeader tells nothing of the machine: no owner, no inode, no time of access.
func tarHeader(dir, path string, entry fs.DirEntry) (*tar.Header, error) {
	info, err := entry.Info()
	if err != nil {
		return nil, err
	}
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return nil, err
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     filepath.ToSlash(name),
		Size:     info.Size(),
		Mode:     int64(info.Mode().Perm()),
		ModTime:  info.ModTime(),
		Format:   tar.FormatPAX,
	}
	if info.IsDir() {
		header.Typeflag, header.Name, header.Size = tar.TypeDir, header.Name+"/", 0
	}
	return header, nil
}
