package config

import _ "embed" // for the example

//go:embed example.yaml
var example string

// Example returns a configuration file with every option, explained, and its
// default commented out. It loads unchanged.
func Example() string { return example }
