"""DAGs that hand over to each other by assets: one asset, an alias that is filled as its task runs, and both of two."""

from airflow.sdk import DAG, Asset, AssetAlias, task

orders = Asset("orders_table", uri="postgres://wh:5432/warehouse/public/orders")
rates = Asset("rates")

with DAG("asset_producer", schedule=None):

    @task(outlets=[AssetAlias("landed")])
    def land(outlet_events=None):
        outlet_events[AssetAlias("landed")].add(orders, extra={"rows": 7})

    land()

with DAG("asset_consumer", schedule=AssetAlias("landed")):

    @task(inlets=[AssetAlias("landed")])
    def read(triggering_asset_events=None, inlet_events=None):
        events = triggering_asset_events[AssetAlias("landed")]
        assert [event.extra for event in inlet_events[AssetAlias("landed")]] == [event.extra for event in events]
        return [event.extra["rows"] for event in events]

    read()

with DAG("asset_failing_consumer", schedule=rates):

    @task
    def price():
        raise ValueError("no rate for CHF")

    price()

with DAG("rates_producer", schedule=None):

    @task(outlets=[rates])
    def fetch():
        pass

    fetch()

with DAG("asset_join", schedule=(orders & rates)):

    @task
    def join():
        pass

    join()
