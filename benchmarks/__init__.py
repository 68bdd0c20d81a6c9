"""`kpnviz bench --app` and `--load`: how long people wait for the app, measured from outside of its server."""
