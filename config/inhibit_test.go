package config_test

import (
	"reflect"
	"testing"

	"tocsin/alert"
)

func TestInhibitRulesAreReadInTheirOrder(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: `
inhibit:
  - name: cluster down
    source: alertname="ClusterDown"
    target: [severity=~"warning|info", 'env!="test"']
    equal: [cluster, region, cluster]
  - source: severity="critical"
    target: severity="warning"
    equal: alertname
`}})
	want := []alert.InhibitRule{
		{Name: "cluster down", Source: matchers(t, `alertname="ClusterDown"`), Target: matchers(t, `severity=~"warning|info", env!="test"`), Equal: []string{"cluster", "region"}},
		{Source: matchers(t, `severity="critical"`), Target: matchers(t, `severity="warning"`), Equal: []string{"alertname"}},
	}
	if !reflect.DeepEqual(c.Routing.Inhibit, want) {
		t.Errorf("got  %+v\nwant %+v", c.Routing.Inhibit, want)
	}
	for _, s := range c.Settings() {
		if s.Key == "inhibit" && (s.Value != `cluster down, severity="critical"` || s.Origin.String() != "config "+etc+":2:1") {
			t.Errorf("it is shown as %+v", s)
		}
	}
}
