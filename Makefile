# What can be done here. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

TOOL := CGO_ENABLED=0 go tool -modfile=$(CURDIR)/hack/tools/go.mod

.PHONY: help
help: ## List what can be done
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the operator, the authorization server and the plug-in of kubectl into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/operator .
	CGO_ENABLED=0 go build -trimpath -o bin/authserver ./authserver
	CGO_ENABLED=0 go build -trimpath -o bin/kubectl-fapi ./cmd/kubectl-fapi

.PHONY: build-pkcs11
build-pkcs11: ccompiler ## Build the authorization server with PKCS #11, which takes cgo, into bin/authserver-pkcs11
	CGO_ENABLED=1 go build -trimpath -tags pkcs11 -o bin/authserver-pkcs11 ./authserver

.PHONY: images
images: ## Make both programs' images for amd64 and arm64, as archives in bin/images/; no container engine is needed
	@CGO_ENABLED=0 go -C hack/image run . pack $(if $(REPOSITORY),--repository $(REPOSITORY)) $(if $(TAG),--tag $(TAG)) $(CURDIR)/bin/images

.PHONY: test
test: prerequisites controlplane interop ## Run every test, with the race detector
	CGO_ENABLED=0 go test ./authserver/keys/pkcs11
	CGO_ENABLED=1 go test -race -tags pkcs11 -timeout 20m -parallel 8 ./... # Most tests wait for other processes.
	CGO_ENABLED=0 go -C hack/image test -timeout 20m .
	CGO_ENABLED=0 go -C hack/chart test ./...

.PHONY: test-faults
test-faults: prerequisites ## Kill the server hundreds of times under load (KILLS of each kind), and count what is lost: nothing
	@CGO_ENABLED=0 FAULTS_KILLS=$(or $(KILLS),200) go test -count=1 -v -timeout 60m ./test/faults

.PHONY: test-scale
test-scale: controlplane ## Keep 10,000 applications (APPLICATIONS), and measure what that costs
	@CGO_ENABLED=0 SCALE_APPLICATIONS=$(or $(APPLICATIONS),10000) go test -count=1 -v -timeout 60m ./test/scale

.PHONY: test-e2e
test-e2e: ## Install the chart on a real cluster and use it: KUBECONFIG and E2E_LOAD_IMAGES, or ../shared/cluster
	@hack/e2e

.PHONY: demo
demo: $(if $(KUBECONFIG),,controlplane) ## Run the whole main job on this machine; ONCE=1 ends when it has held
	@CGO_ENABLED=0 go run ./hack/demo $(if $(ONCE),--once)

.PHONY: conformance
conformance: ## Run a started conformance suite: SUITE=https://host:port [PLANS=a,b] [MODULES=x,y] [RESULTS=file]
	@CGO_ENABLED=0 go run ./test/conformance

.PHONY: verify
verify: ccompiler ## Check generated files, formatting, lint, module files and import walls
	hack/verify-generated
	hack/verify-walls
	$(TOOL) golangci-lint run --allow-parallel-runners ./...
	$(TOOL) golangci-lint run --allow-parallel-runners --build-tags e2e ./test/e2e/...
	CGO_ENABLED=1 "$$($(TOOL) -n golangci-lint)" run --allow-parallel-runners --build-tags pkcs11 ./authserver/... ./test/protocol/...
	cd hack/image && $(TOOL) golangci-lint run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...
	cd hack/chart && $(TOOL) golangci-lint run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...

.PHONY: generate
generate: ## Write generated files: deepcopy, CRD, RBAC, webhook configuration, admission policy, rule table, chart and kustomization
	$(TOOL) controller-gen object crd paths=./api/v1alpha1 output:crd:dir=config/crd/bases output:object:dir=api/v1alpha1
	$(TOOL) controller-gen rbac:roleName=operator paths=./controllers paths=. output:rbac:dir=config/rbac
	$(TOOL) controller-gen webhook paths=./webhook output:webhook:dir=config/webhook
	go generate ./authserver/... ./webhook
	cd hack/chart && CGO_ENABLED=0 go run .

.PHONY: controlplane
controlplane: ## Build etcd, kube-apiserver and cert-manager from their modules (minutes the first time)
	@hack/controlplane/build >/dev/null

.PHONY: ccompiler
ccompiler:
	@command -v gcc >/dev/null || { echo "installing gcc and libc6-dev (for the race detector, and PKCS #11)"; apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev; }

.PHONY: prerequisites
prerequisites: ccompiler ## Install what tests need where it is missing: a C compiler, PostgreSQL, SoftHSM
	@hack/postgres
	@hack/softhsm

.PHONY: interop
interop: ## Install node, where it is missing or too old, and the client libraries that test/interop judges with
	@test/interop/prepare

.PHONY: clean
clean: ## Remove what was built here
	rm -rf bin .cache
