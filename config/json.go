package config

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// JSON returns a YAML document as JSON with its keys in the same order.
func JSON(document []byte) ([]byte, error) {
	asJSON, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	return asJSON, nil
}
