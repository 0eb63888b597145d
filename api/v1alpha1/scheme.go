package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this API in manifests: fapi-operator.io/v1alpha1.
var GroupVersion = schema.GroupVersion{Group: "fapi-operator.io", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme registers the kinds of this group and version.
var AddToScheme = schemeBuilder.AddToScheme

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&FAPIApplication{}, &FAPIApplicationList{},
		&FAPIPolicy{}, &FAPIPolicyList{},
		&FAPIServer{}, &FAPIServerList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
