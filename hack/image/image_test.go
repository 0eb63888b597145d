package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// packed is an archive that pack wrote, read again.
type packed struct {
	program program
	folder  string  // the archive, unpacked
	digest  v1.Hash // as pack told it
	images  []builtImage
}

// builtImage is the image of one architecture.
type builtImage struct {
	image  v1.Image
	config *v1.ConfigFile
	files  map[string]file // the only layer's, by path
}

// file is an entry of a layer or folder.
type file struct {
	tar.Header
	digest  [sha256.Size]byte
	content []byte
}

// testName is not the default, so that a name from elsewhere shows.
var testName = imageName{repository: "registry.example.com/team", tag: "test"}

// archives are what the tests judge: every program, packed once.
var archives []packed

func TestMain(m *testing.M) {
	status, err := packAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pack the images to be tested:", err)
		status = 1
	}
	os.Exit(status)
}

func packAndRun(m *testing.M) (status int, err error) {
	folder, err := os.MkdirTemp("", "image-test-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	for _, p := range programs {
		archive, err := packForTest(p, folder)
		if err != nil {
			return 1, err
		}
		archives = append(archives, archive)
	}
	return m.Run(), nil
}

// architectures are two for one program: a second one of the other would only
// be minutes of compiling more.
func architectures(p program) []string {
	if p.name == "authserver" {
		return []string{"amd64", "arm64"}
	}
	return []string{runtime.GOARCH}
}

func packForTest(p program, folder string) (archive packed, err error) {
	archive = packed{program: p, folder: filepath.Join(folder, p.name)}
	if archive.digest, err = pack(context.Background(), checkout, p, architectures(p), testName, folder); err != nil {
		return packed{}, err
	}
	if err := untar(filepath.Join(folder, p.name+".tar"), archive.folder); err != nil {
		return packed{}, err
	}
	archive.images, err = readImages(archive)
	return archive, err
}

// readImages reads the archive's images by the digest that pack told.
func readImages(archive packed) ([]builtImage, error) {
	index, err := layout.ImageIndexFromPath(archive.folder)
	if err != nil {
		return nil, err
	}
	if index, err = index.ImageIndex(archive.digest); err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var images []builtImage
	for _, descriptor := range manifest.Manifests {
		image, err := index.Image(descriptor.Digest)
		if err != nil {
			return nil, err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties
		if config.RootFS.Type != "layers" {
			return nil, fmt.Errorf("the image's rootfs is of type %q, not layers", config.RootFS.Type)
		}
		if got := descriptor.Platform; got == nil || !got.Equals(v1.Platform{OS: config.OS, Architecture: config.Architecture}) {
			return nil, fmt.Errorf("the index says %v of an image for %s/%s", got, config.OS, config.Architecture)
		}
		files, err := layerFiles(image)
		if err != nil {
			return nil, err
		}
		images = append(images, builtImage{image, config, files})
	}
	return images, nil
}

func layerFiles(image v1.Image) (map[string]file, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	if len(layers) != 1 {
		return nil, fmt.Errorf("the image has %d layers, not 1", len(layers))
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return readTar(content)
}

func readTar(content io.Reader) (map[string]file, error) {
	files := make(map[string]file)
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		files[header.Name] = file{*header, sha256.Sum256(content), content}
	}
}

func untar(archive, folder string) error {
	content, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	files, err := readTar(bytes.NewReader(content))
	if err != nil {
		return err
	}
	return write(files, folder)
}

// write makes the files below folder.
func write(files map[string]file, folder string) error {
	for _, name := range slices.Sorted(maps.Keys(files)) { // A folder comes before what is in it.
		var err error
		target, mode := filepath.Join(folder, name), os.FileMode(files[name].Mode)
		if files[name].Typeflag == tar.TypeDir {
			err = os.MkdirAll(target, mode)
		} else if err = os.MkdirAll(filepath.Dir(target), 0o755); err == nil {
			err = os.WriteFile(target, files[name].content, mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// native is the image that this machine can run.
func (a packed) native(t *testing.T) builtImage {
	t.Helper()
	i := slices.IndexFunc(a.images, func(built builtImage) bool { return built.config.Architecture == runtime.GOARCH })
	if i < 0 {
		t.Fatalf("no image of %s for %s was packed", a.program.name, runtime.GOARCH)
	}
	return a.images[i]
}

// forEachImage runs a test for every program and architecture.
func forEachImage(t *testing.T, test func(t *testing.T, p program, built builtImage)) {
	t.Helper()
	for _, archive := range archives {
		for _, built := range archive.images {
			t.Run(archive.program.name+"/"+built.config.Architecture, func(t *testing.T) { test(t, archive.program, built) })
		}
	}
}

// head is the checkout's commit, and when it was made, in seconds since 1970.
func head(t *testing.T) (revision, committed string) {
	t.Helper()
	output, err := git(t.Context(), checkout, "log", "-1", "--format=%H %ct")
	if err != nil {
		t.Fatal(err)
	}
	revision, committed, _ = strings.Cut(strings.TrimSpace(output), " ")
	return revision, committed
}

func TestArchiveNamesItsImageToContainerd(t *testing.T) {
	for _, archive := range archives {
		index, err := layout.ImageIndexFromPath(archive.folder)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		want := "registry.example.com/team/" + archive.program.name + ":test"
		if len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations["io.containerd.image.name"] != want {
			t.Errorf("the archive holds %+v, want one image called %s", manifest.Manifests, want)
		}
		var have []string
		for _, built := range archive.images {
			have = append(have, built.config.Architecture)
		}
		if !slices.Equal(have, architectures(archive.program)) {
			t.Errorf("%s is there for %v, want %v", archive.program.name, have, architectures(archive.program))
		}
	}
}

// A shell or another program would be one more thing to run for who breaks in; a
// file that the program's user may change, one more to keep something in.
func TestImageHoldsOneProgramAndDataThatNobodyMayChange(t *testing.T) {
	_, committed := head(t)
	forEachImage(t, func(t *testing.T, p program, built builtImage) {
		for name, entry := range built.files {
			mode := int64(0o644)
			if entry.Typeflag == tar.TypeDir || name == p.name {
				mode = 0o755
			}
			if entry.Typeflag != tar.TypeReg && entry.Typeflag != tar.TypeDir {
				t.Errorf("%s is of type %c, neither file nor folder", name, entry.Typeflag)
			}
			if entry.Mode != mode || entry.Uid != 0 || entry.Gid != 0 {
				t.Errorf("%s has mode %o and is of %d:%d, want %o of 0:0", name, entry.Mode, entry.Uid, entry.Gid, mode)
			}
			if got := fmt.Sprint(entry.ModTime.Unix()); got != committed {
				t.Errorf("%s is of %s, want the commit's %s", name, got, committed)
			}
			if !belongs(p, name) {
				t.Errorf("%s is not meant to be there", name)
			}
		}
		for _, name := range []string{p.name, certificatesFile, passwdFile, groupFile, p.sbomFile(), zonesFolder + "/Europe/Berlin"} {
			if built.files[name].Size == 0 {
				t.Errorf("%s is missing or empty", name)
			}
		}
	})
}

// belongs tells whether a file is one that README.md lists, or a folder above one.
func belongs(p program, name string) bool {
	for _, known := range []string{p.name, certificatesFile, passwdFile, groupFile, p.sbomFile(), zonesFolder + "/"} {
		if name == known || strings.HasSuffix(name, "/") && strings.HasPrefix(known, name) || known == zonesFolder+"/" && strings.HasPrefix(name, known) {
			return true
		}
	}
	return false
}

func TestImageRunsItsProgramAsNobody(t *testing.T) {
	revision, _ := head(t)
	forEachImage(t, func(t *testing.T, p program, built builtImage) {
		config := built.config.Config
		if config.User != "65532:65532" {
			t.Errorf("it runs as %q", config.User)
		}
		if !slices.Equal(config.Entrypoint, []string{"/" + p.name}) || len(config.Cmd) > 0 {
			t.Errorf("it runs %v %v", config.Entrypoint, config.Cmd)
		}
		if got := config.Labels["org.opencontainers.image.revision"]; got != revision {
			t.Errorf("it is labeled with revision %q, want %q", got, revision)
		}
		if !strings.Contains(string(built.files[passwdFile].content), "fapi-operator:x:65532:65532:") {
			t.Error("its user has no name")
		}
	})
}

func TestProgramTellsWhatItWasBuiltFrom(t *testing.T) {
	revision, _ := head(t)
	forEachImage(t, func(t *testing.T, p program, built builtImage) {
		info := readBuildInfo(t, p, built)
		if want := path.Join("github.com/fapi-operator/fapi-operator", p.folder); info.Path != want {
			t.Errorf("it is %s, want %s", info.Path, want)
		}
		if info.Main.Version == "" || info.Main.Version == "(devel)" || info.Main.Version != built.config.Config.Labels["org.opencontainers.image.version"] {
			t.Errorf("its version is %q, its label's %q", info.Main.Version, built.config.Config.Labels["org.opencontainers.image.version"])
		}
		settings := make(map[string]string)
		for _, setting := range info.Settings {
			settings[setting.Key] = setting.Value
		}
		for key, want := range map[string]string{
			"GOOS":         "linux",
			"GOARCH":       built.config.Architecture,
			"CGO_ENABLED":  "0",
			"-trimpath":    "true",
			"vcs.revision": revision,
		} {
			if settings[key] != want {
				t.Errorf("its %s is %q, want %q", key, settings[key], want)
			}
		}
	})
}

func readBuildInfo(t *testing.T, p program, built builtImage) *buildinfo.BuildInfo {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(built.files[p.name].content))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestBillOfMaterialsListsEveryLinkedModule(t *testing.T) {
	forEachImage(t, func(t *testing.T, p program, built builtImage) {
		var bom struct {
			BOMFormat  string `json:"bomFormat"`
			Components []struct{ Name, Version string }
		}
		if err := json.Unmarshal(built.files[p.sbomFile()].content, &bom); err != nil || bom.BOMFormat != "CycloneDX" {
			t.Fatalf("it is no CycloneDX: %v", err)
		}
		var listed []string
		for _, component := range bom.Components {
			listed = append(listed, component.Name+"@"+component.Version)
		}
		info := readBuildInfo(t, p, built)
		linked := []string{"std@" + info.GoVersion}
		for _, module := range info.Deps {
			linked = append(linked, module.Path+"@"+module.Version)
		}
		slices.Sort(listed)
		slices.Sort(linked)
		if !slices.Equal(listed, linked) {
			t.Errorf("it lists\n%s\nbut linked are\n%s", strings.Join(listed, "\n"), strings.Join(linked, "\n"))
		}
	})
}

func TestCertificatesAndTimeZonesAreWhatGoReads(t *testing.T) {
	forEachImage(t, func(t *testing.T, _ program, built builtImage) {
		const fewest = 100 // Mozilla has trusted more than that for many years.
		count := 0
		for rest := built.files[certificatesFile].content; ; count++ {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if certificate, err := x509.ParseCertificate(block.Bytes); err != nil || !certificate.IsCA {
				t.Errorf("certificate %d is no authority's: %v", count, err)
			}
		}
		if count < fewest {
			t.Errorf("there are %d authorities", count)
		}
		zone, err := time.LoadLocationFromTZData("Europe/Berlin", built.files[zonesFolder+"/Europe/Berlin"].content)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Date(2026, time.July, 1, 12, 0, 0, 0, time.UTC).In(zone).Hour(); got != 14 {
			t.Errorf("noon UTC in summer is %d o'clock in Berlin", got)
		}
	})
}
